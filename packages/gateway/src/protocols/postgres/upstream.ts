import type { Duplex } from 'node:stream'
import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'
import type { Credential, Upstream } from '../contract.ts'
import { formatSearchPath, type SearchPath } from '../sql/search-path.ts'
import { ByteSource } from '../wire/byte-source.ts'
import { type ChunkReader, type ChunkReaderOptions, readChunks } from '../wire/chunk-reader.ts'
import { dialTarget } from './dial-target.ts'
import { MAX_HANDSHAKE, readHandshakeMessage, rememberParameter } from './handshake-message.ts'
import { type LoggedIn, logIn } from './log-in.ts'
import {
  BACKEND,
  decodeErrorFields,
  encodeCancelRequest,
  encodeQuery,
  encodeStartup,
  TERMINATE,
} from './messages.ts'
import { asUnreachable } from './target-unreachable.ts'

/** How long a target may take to close its side after Terminate or CancelRequest, before the socket is destroyed. */
const CLOSE_MS = 1000

/** For the connection that a CancelRequest needs; its client waits. */
const CANCEL_MS = 5000

/** A logged-in connection to the target, idle until a relay reads from it. */
export class PostgresUpstream implements Upstream {
  readonly protocol = 'postgres'
  /** What the target reported (ParameterStatus), in order. */
  readonly parameters: Map<string, string>
  /** Where bare names are looked for until somebody says otherwise, and again after RESET. */
  readonly searchPath: SearchPath
  #stream: Duplex
  readonly #dial: (signal: AbortSignal) => Promise<Duplex>
  readonly #backendKey: LoggedIn['backendKey']

  constructor(
    stream: Duplex,
    parameters: Map<string, string>,
    backendKey: LoggedIn['backendKey'],
    dial: (signal: AbortSignal) => Promise<Duplex>,
    searchPath: SearchPath,
  ) {
    this.searchPath = searchPath
    this.#stream = stream
    this.parameters = parameters
    this.#backendKey = backendKey
    this.#dial = dial
  }

  get alive(): boolean {
    // An idle target says nothing: whatever it sent is its farewell.
    return !this.#stream.destroyed && !this.#stream.readableEnded && this.#stream.readableLength === 0
  }

  get stream(): Duplex {
    return this.#stream
  }

  /** Reads from now on in chunks; the relay's only. */
  readChunks(options: ChunkReaderOptions): ChunkReader {
    const reader = readChunks(this.#stream, options)
    this.#stream = reader.stream
    return reader
  }

  /**
   * Sets what the client asked for at start-up, in one round trip, before the client is told that it may begin.
   * @throws SallyportError REQUEST_INVALID when the target refuses one of the values
   */
  async applySettings(settings: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
    if (settings.size === 0) return
    const calls = [...settings].map(
      ([name, value]) => `set_config(${literal(name)}, ${literal(value)}, false)`,
    )
    this.#stream.write(encodeQuery(`SELECT ${calls.join(', ')}`))
    const source = new ByteSource(this.#stream, signal)
    let failure: SallyportError | undefined
    for (let left = MAX_HANDSHAKE; ; ) {
      const message = await readHandshakeMessage(source, left)
      if (message === undefined) {
        throw new SallyportError('TARGET_UNREACHABLE', 'the target closed the connection')
      }
      left -= 5 + message.body.length
      if (message.type === BACKEND.readyForQuery) break
      if (message.type === BACKEND.parameterStatus) rememberParameter(this.parameters, message)
      if (message.type === BACKEND.errorResponse) {
        const reason = decodeErrorFields(message.body, 0, message.body.length).get('M')
        failure = new SallyportError('REQUEST_INVALID', `the target refused a start-up parameter: ${reason}`)
      }
    }
    if (failure !== undefined) throw failure
  }

  /**
   * Asks the target to cancel the running statement, on a connection of its own ("Canceling Requests in Progress").
   * Resolves when the target has closed that one, which it does when it has seen to the request. Never rejects.
   */
  async cancel(): Promise<void> {
    const key = this.#backendKey
    if (key === undefined) return
    try {
      const stream = await this.#dial(AbortSignal.timeout(CANCEL_MS))
      await closeAfter(stream, encodeCancelRequest(key.pid, key.secret))
    } catch {
      // As in PostgreSQL, nobody is told whether a cancel request came through.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stream.destroyed) await closeAfter(this.#stream, TERMINATE)
  }
}

/** Sends the last words, and waits until the target has closed; not longer than it may take. */
function closeAfter(stream: Duplex, lastWords: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => stream.destroy(), CLOSE_MS)
    stream.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    stream.on('error', () => stream.destroy())
    if (stream.writable) stream.end(lastWords)
    stream.resume()
  })
}

/**
 * Connects to a target and logs in with a temporary credential, by SCRAM-SHA-256 only: a target that asks for the secret
 * itself, or for its MD5, is refused. PostgreSQL starts a process for the connection as soon as it is dialled, which
 * takes about as long as the credential that is still in the making.
 * @param searchPath what the session begins with: the database's own, without "$user", since the role is the gateway's
 * @throws SallyportError TARGET_UNREACHABLE with the step that failed; why there is no credential
 */
export async function connectUpstream(
  target: Target,
  awaited: Credential | Promise<Credential>,
  signal: AbortSignal,
  searchPath: SearchPath = DEFAULT_PATH,
): Promise<PostgresUpstream> {
  const dial = (within: AbortSignal): Promise<Duplex> => dialTarget(target, within)
  const dialling = dial(signal)
  let credential: Credential
  try {
    ;[credential] = await Promise.all([awaited, dialling])
  } catch (error) {
    void dialling.then((stream) => stream.destroy()).catch(() => undefined)
    throw error
  }
  const stream = await dialling
  try {
    stream.write(encodeStartup(startupParameters(target, credential, searchPath)))
    const { parameters, backendKey } = await logIn(stream, credential, target, signal)
    return new PostgresUpstream(stream, parameters, backendKey, dial, searchPath)
  } catch (error) {
    stream.destroy()
    throw asUnreachable(target, 'log-in failed', error)
  }
}

/** PostgreSQL's own default, as far as it applies to the roles of sessions. */
const DEFAULT_PATH: SearchPath = ['public']

function startupParameters(
  target: Target,
  credential: Credential,
  searchPath: SearchPath,
): ReadonlyMap<string, string> {
  return new Map([
    ['user', credential.username],
    ['database', target.database],
    ['application_name', 'sallyport'],
    // What statements mean is read under these, whatever the database's or the role's defaults are.
    ['client_encoding', 'UTF8'],
    ['standard_conforming_strings', 'on'],
    ['search_path', formatSearchPath(searchPath)],
    ['default_transaction_read_only', credential.readOnly ? 'on' : 'off'],
  ])
}

/** A string literal. With standard_conforming_strings on, which we set, only the quote needs doubling. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
