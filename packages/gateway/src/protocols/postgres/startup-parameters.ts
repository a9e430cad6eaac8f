import { SallyportError } from '../../access/errors.ts'

/** Settings that a client may choose for its session: they change how values look, not what a statement means or may do. */
const HARMLESS = new Set([
  'application_name',
  'client_min_messages',
  'datestyle',
  'extra_float_digits',
  'idle_in_transaction_session_timeout',
  'intervalstyle',
  'lock_timeout',
  'statement_timeout',
  'timezone',
])

/** The longest name of a target, and application_name and the like; PostgreSQL itself cuts most at 63 bytes. */
const MAX_VALUE = 256

export interface StartupRequest {
  /** The target's name. */
  readonly database: string
  readonly clientName: string | undefined
  /** To be set on the target once the session runs, by lower-case name. */
  readonly settings: ReadonlyMap<string, string>
  /** `_pq_.` options: none are known here. */
  readonly unknownOptions: readonly string[]
}

/**
 * What a StartupMessage asks for.
 * @throws SallyportError WIRE_UNSUPPORTED for replication and for settings that would change whose rights a statement runs
 *   with or how it is read, before any of it reaches the target
 */
export function readStartupParameters(parameters: ReadonlyMap<string, string>): StartupRequest {
  const settings = new Map<string, string>()
  const unknownOptions: string[] = []
  let database = (parameters.get('user') ?? '').slice(0, MAX_VALUE)
  for (const [name, value] of parameters) {
    const setting = name.toLowerCase()
    if (name === 'user') continue
    if (name === 'database') {
      // Whoever knocks can have it written to the audit log.
      if (value.length > MAX_VALUE) throw refused(name, `is longer than ${MAX_VALUE} characters`)
      if (value !== '') database = value
    } else if (name.startsWith('_pq_.')) {
      unknownOptions.push(name)
    } else if (setting === 'replication') {
      if (!['false', 'off', 'no', '0'].includes(value.toLowerCase()))
        throw refused('replication', 'replicates the whole database')
    } else if (setting === 'options') {
      if (value.trim() !== '') throw refused('options', 'can set anything, whatever policy says')
    } else if (setting === 'client_encoding') {
      const encoding = value.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
      if (encoding !== 'utf8' && encoding !== 'unicode') {
        throw new SallyportError('WIRE_UNSUPPORTED', `the client encoding ${value} is not supported`, {
          hint: 'use UTF8 (PGCLIENTENCODING=UTF8): statements are read as UTF-8 before they are decided',
        })
      }
    } else if (HARMLESS.has(setting)) {
      if (value.length > MAX_VALUE) throw refused(name, `is longer than ${MAX_VALUE} characters`)
      settings.set(setting, value)
    } else {
      throw refused(name, 'is not one that a client may choose at start-up')
    }
  }
  return { database, clientName: settings.get('application_name'), settings, unknownOptions }
}

function refused(name: string, why: string): SallyportError {
  return new SallyportError('WIRE_UNSUPPORTED', `the start-up parameter "${name}" is refused: it ${why}`, {
    hint: 'connect without it',
  })
}
