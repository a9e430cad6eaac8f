import { loadModule, parseSync } from 'libpg-query'
import { LRUCache } from 'lru-cache'
import type { ApprovalNeed } from '../../access/approval.ts'
import type { Catalog } from '../../access/catalog.ts'
import { catalogOf } from '../../access/catalog.fixture.ts'
import type { HiddenColumns, MaskedColumn, ResultMasks } from '../../access/masking.ts'
import { SallyportError } from '../../access/errors.ts'
import type { Action, StatementReading } from '../../access/model.ts'
import type {
  ApprovalSubject,
  Guard,
  PendingApproval,
  RecordingWaiter,
  SessionRecorder,
  Verdict,
  VerdictCache,
} from '../contract.ts'
import { combineReadings } from '../sql/combine-readings.ts'
import { CatalogIndex } from '../sql/names.ts'
import { readStatements } from '../sql/read-statement.ts'
import { opaqueReading, type SqlReading } from '../sql/reading.ts'
import type { Question } from './parser.ts'
import { NO_PRIVILEGE, type Privilege, TestRequest } from './approval.fixture.ts'
import type { SqlReader } from './statement-cache.ts'
import { refuseText } from './statement-text.ts'

export const CATALOG: Catalog = catalogOf([])

/** PostgreSQL's parser in this very thread, for tests. */
export async function directReader(): Promise<SqlReader> {
  await loadModule()
  const read = ({ text, catalog, names }: Question): SqlReading => {
    const refused = refuseText(text)
    if (refused !== undefined) return opaqueReading(refused)
    if (text === '') return combineReadings([])
    try {
      return combineReadings(readStatements(parseSync(text), new CatalogIndex(catalog, parseSync), names))
    } catch {
      return opaqueReading('it cannot be parsed')
    }
  }
  return { read: (question) => Promise.resolve(read(question)) }
}

export type Call =
  | readonly ['statement', number, string, 'permit' | 'deny']
  | readonly ['execute', number, number, string]
  | readonly ['result', number, string, number, number, string | undefined]

/** Keeps what it is told in memory. `held`: it calls nobody back until `release`. */
export class MemoryRecorder implements SessionRecorder {
  readonly calls: Call[] = []
  /** What was masked, of each result in which something was. */
  readonly masked: (readonly MaskedColumn[])[] = []
  readonly #waiters: RecordingWaiter[] = []
  #next = 1
  held = false
  broken: SallyportError | undefined

  statement(text: string, verdict: Verdict): number {
    this.calls.push(['statement', this.#next, text, verdict.permitted ? 'permit' : 'deny'])
    return this.#next++
  }

  execute(statement: number, parameters: string): number {
    this.calls.push(['execute', this.#next, statement, parameters])
    return this.#next++
  }

  result(
    of: number,
    tag: string,
    rows: number,
    size: number,
    _us: number,
    sqlstate?: string,
    masked?: readonly MaskedColumn[],
  ): void {
    this.calls.push(['result', of, tag, rows, size, sqlstate])
    if (masked !== undefined) this.masked.push(masked)
  }

  written(waiter: RecordingWaiter): void {
    this.#waiters.push(waiter)
    if (!this.held) queueMicrotask(() => this.release())
  }

  /** Calls back all that wait, as the journal does after its write. */
  release(): void {
    for (const waiter of this.#waiters.splice(0)) {
      if (this.broken === undefined) waiter.recorded()
      else waiter.unrecorded(this.broken)
    }
  }

  get waiting(): number {
    return this.#waiters.length
  }

  /** The texts of statements, permitted or not. */
  texts(effect: 'permit' | 'deny'): readonly string[] {
    return this.calls.flatMap((call) => (call[0] === 'statement' && call[3] === effect ? [call[2]] : []))
  }
}

const NEED: ApprovalNeed = {
  policies: ['people-first'],
  rules: [{ policy: 'people-first', approvers: ['dba'], quorum: 1, ttlSeconds: 900 }],
  reason: 'people look at it first',
}

/** Permits everything but what is opaque and some actions. */
export class TestGuard implements Guard {
  readonly sessionId: string
  readonly target = 'shop'
  catalog: Catalog = CATALOG
  hidden: HiddenColumns | undefined
  /** The masks of what is permitted, as policy would give them. */
  masksFor: ((reading: StatementReading) => readonly ResultMasks[] | undefined) | undefined
  readonly recorder = new MemoryRecorder()
  readonly denied = new Set<Action>(['drop', 'delete', 'truncate'])
  /** Relations, as `schema.name`. */
  readonly forbidden = new Set<string>()
  readonly #abort = new AbortController()
  #epoch = 1
  #cache: VerdictCache = new LRUCache<string, Verdict>({ max: 100 })
  reusable = true

  constructor(sessionId = 'ses_test') {
    this.sessionId = sessionId
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get epoch(): number {
    return this.#epoch
  }

  get verdicts(): VerdictCache {
    return this.#cache
  }

  /** The target changes. */
  replaceCatalog(catalog: Catalog): void {
    this.catalog = catalog
    this.#epoch++
    this.#cache = new LRUCache<string, Verdict>({ max: 100 })
  }

  /** Policies change. */
  deny(...actions: readonly Action[]): void {
    for (const action of actions) this.denied.add(action)
    this.#epoch++
    this.#cache = new LRUCache<string, Verdict>({ max: 100 })
  }

  end(reason: SallyportError): void {
    this.#abort.abort(reason)
  }

  /** Actions about which people are asked, and what was asked so far. */
  readonly needApproval = new Set<Action>()
  readonly requests: TestRequest[] = []
  privilege: Privilege = NO_PRIVILEGE
  /** Nobody can be asked. */
  unavailable: SallyportError | undefined

  /** The last request. */
  get request(): TestRequest {
    const request = this.requests.at(-1)
    if (request === undefined) throw new Error('nobody was asked')
    return request
  }

  /** What the target has become meanwhile. */
  lookAgain: () => Promise<void> = () => Promise.resolve()

  requestApproval(subject: ApprovalSubject, verdict: Verdict): Promise<PendingApproval> {
    if (this.unavailable !== undefined) return Promise.reject(this.unavailable)
    const request = new TestRequest(this.requests.length + 1, subject, verdict, this.privilege)
    this.requests.push(request)
    return Promise.resolve(request)
  }

  authorize(reading: StatementReading): Verdict {
    const common = { epoch: this.#epoch, reusable: this.reusable }
    if (reading.facts.reading === 'opaque') {
      const reason = reading.opaqueBecause ?? 'unreadable'
      return {
        ...common,
        permitted: false,
        policies: [],
        reason,
        code: 'ACCESS_STATEMENT_OPAQUE',
        json: '{}',
      }
    }
    const forbidden = reading.operations.find(
      ({ action, resource }) =>
        this.denied.has(action) ||
        (resource.type === 'Table' && this.forbidden.has(`${resource.schema}.${resource.table}`)),
    )
    if (forbidden === undefined) {
      const asked = reading.operations.find(({ action }) => this.needApproval.has(action))
      if (asked === undefined) {
        const masks = this.masksFor?.(reading)
        const verdict = { ...common, permitted: true, policies: ['allow-all'], json: '{}' }
        return masks === undefined ? verdict : { ...verdict, masks }
      }
      return {
        ...common,
        permitted: false,
        policies: ['people-first'],
        reason: `${asked.action} needs approval`,
        code: 'ACCESS_POLICY_DENIED',
        approval: NEED,
        json: '{}',
      }
    }
    return {
      ...common,
      permitted: false,
      policies: ['no-harm'],
      reason: `${forbidden.action} is forbidden`,
      hint: 'ask a dba',
      code: 'ACCESS_POLICY_DENIED',
      json: '{}',
    }
  }
}
