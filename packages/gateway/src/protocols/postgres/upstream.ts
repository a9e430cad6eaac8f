import { connect as connectTcp, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'
import { ByteSource } from '../wire/byte-source.ts'
import { type ChunkReader, type ChunkReaderOptions, readChunks } from '../wire/chunk-reader.ts'
import type { Credential, Upstream } from '../contract.ts'
import { type HandshakeMessage, readHandshakeMessage } from './handshake-message.ts'
import {
  BACKEND,
  decodeErrorFields,
  encodeCancelRequest,
  encodePassword,
  encodeQuery,
  encodeSaslInitialResponse,
  encodeStartup,
  SSL_REQUEST_PACKET,
  TERMINATE,
} from './messages.ts'
import { readCString } from '../wire/cstring.ts'
import { formatSearchPath, type SearchPath } from '../sql/search-path.ts'
import { ScramClient } from './scram-client.ts'

/**
 * All that a target may say before the session begins: SCRAM, fifteen parameters and a notice or two are 2 KB. Parameters
 * are kept, so that a target that never stops sending them would fill the memory.
 */
const MAX_HANDSHAKE = 64 * 1024

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
  readonly #backendKey: { readonly pid: number; readonly secret: Buffer } | undefined

  constructor(
    stream: Duplex,
    parameters: Map<string, string>,
    backendKey: { readonly pid: number; readonly secret: Buffer } | undefined,
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
      if (message === undefined) throw closed()
      left -= 5 + message.body.length
      if (message.type === BACKEND.readyForQuery) break
      if (message.type === BACKEND.parameterStatus) remember(this.parameters, message)
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
    return await logIn(stream, credential, target, signal, dial, searchPath)
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

async function dialTarget(target: Target, signal: AbortSignal): Promise<Duplex> {
  const { host, port } = target.address
  const socket = connectTcp({ host, port, noDelay: true })
  await event(socket, 'connect', signal, (cause) =>
    unreachable(
      target,
      `TCP failed: ${reason(cause)}`,
      'is the target running, and is its address right?',
      cause,
    ),
  )
  if (target.tls.mode === 'disable') return socket
  return await secure(socket, target, signal)
}

async function secure(socket: Socket, target: Target, signal: AbortSignal): Promise<Duplex> {
  socket.write(SSL_REQUEST_PACKET)
  const answer = await new ByteSource(socket, signal).take(1).catch((error: unknown) => {
    socket.destroy()
    throw asUnreachable(target, 'TCP ok, TLS failed', error)
  })
  if (answer?.[0] !== 0x53 || socket.readableLength > 0) {
    socket.destroy()
    throw unreachable(
      target,
      'TCP ok, TLS failed: the server does not offer it',
      'turn on ssl there, or set tls: disable',
    )
  }
  const verify = target.tls.mode === 'verify-full'
  const secured = connectTls({
    socket,
    // The certificate is checked against `host`; SNI is for names only (RFC 6066, section 3).
    host: target.address.host,
    ...(isIP(target.address.host) === 0 ? { servername: target.address.host } : {}),
    rejectUnauthorized: verify,
    ALPNProtocols: ['postgresql'],
    ...(target.tls.ca === undefined ? {} : { ca: target.tls.ca }),
  })
  await event(secured, 'secureConnect', signal, (cause) =>
    unreachable(
      target,
      `TCP ok, TLS failed: ${reason(cause)}`,
      'check the certificate, its name and tls.ca',
      cause,
    ),
  )
  return secured
}

async function logIn(
  stream: Duplex,
  credential: Credential,
  target: Target,
  signal: AbortSignal,
  dial: (signal: AbortSignal) => Promise<Duplex>,
  searchPath: SearchPath,
): Promise<PostgresUpstream> {
  const source = new ByteSource(stream, signal)
  const scram = new ScramClient(credential.secret)
  const parameters = new Map<string, string>()
  let backendKey: { pid: number; secret: Buffer } | undefined
  for (let left = MAX_HANDSHAKE; ; ) {
    const message = await readHandshakeMessage(source, left)
    if (message === undefined) throw unreachable(target, 'it closed the connection during log-in')
    left -= 5 + message.body.length
    switch (message.type) {
      case BACKEND.authentication:
        authenticate(stream, scram, message.body, target)
        break
      case BACKEND.parameterStatus:
        remember(parameters, message)
        break
      case BACKEND.backendKeyData:
        if (message.body.length < 8) throw unreachable(target, 'it does not speak the PostgreSQL protocol')
        backendKey = { pid: message.body.readInt32BE(0), secret: message.body.subarray(4) }
        break
      case BACKEND.errorResponse: {
        const fields = decodeErrorFields(message.body, 0, message.body.length)
        throw unreachable(target, `log-in failed: ${fields.get('M') ?? 'no reason given'}`)
      }
      case BACKEND.readyForQuery:
        // Also one that leaves AuthenticationOk out.
        if (!scram.verified) throw unproved(target)
        return new PostgresUpstream(stream, parameters, backendKey, dial, searchPath)
      case BACKEND.noticeResponse:
      case BACKEND.negotiateProtocolVersion:
        break
      default:
        throw unreachable(target, 'it does not speak the PostgreSQL protocol')
    }
  }
}

/** AuthenticationOk, SASL, SASLContinue and SASLFinal ("SASL Authentication"). */
function authenticate(stream: Duplex, scram: ScramClient, body: Buffer, target: Target): void {
  const kind = body.length >= 4 ? body.readInt32BE(0) : -1
  if (kind === 0) {
    // Without a verified proof anybody can log in there under any role's name, and this may not be the target at all.
    if (scram.verified) return
    throw unproved(target)
  }
  if (kind === 10) {
    if (!body.toString('latin1', 4).split('\0').includes('SCRAM-SHA-256')) {
      throw unreachable(target, 'it does not offer SCRAM-SHA-256')
    }
    stream.write(encodeSaslInitialResponse('SCRAM-SHA-256', scram.first()))
  } else if (kind === 11) {
    stream.write(encodePassword(scram.final(body.toString('utf8', 4))))
  } else if (kind === 12) {
    scram.verify(body.toString('utf8', 4))
  } else {
    throw unreachable(
      target,
      'it asks for the password in a form that would give it away',
      'use scram-sha-256 in its pg_hba.conf for sallyport roles',
    )
  }
}

function unproved(target: Target): SallyportError {
  return unreachable(target, 'it lets roles in without a password', 'use scram-sha-256 in its pg_hba.conf')
}

function remember(parameters: Map<string, string>, message: HandshakeMessage): void {
  const name = readCString(message.body, 0, message.body.length)
  if (name === undefined) return
  const value = readCString(message.body, name.next, message.body.length)
  if (value !== undefined) parameters.set(name.text, value.text)
}

/** Resolves at `name`; rejects, and destroys the socket, when it fails, closes or is aborted first. */
function event(
  socket: Socket,
  name: 'connect' | 'secureConnect',
  signal: AbortSignal,
  wrap: (cause: Error) => Error,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(wrap(signal.reason as Error))
    // Stays for the socket's life: an 'error' that nobody listens to would end the process.
    socket.on('error', (error) => fail(wrap(error)))
    socket.once('close', () => fail(wrap(new Error('the connection was closed'))))
    socket.once(name, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

function unreachable(target: Target, why: string, hint?: string, cause?: unknown): SallyportError {
  const { host, port } = target.address
  return new SallyportError('TARGET_UNREACHABLE', `cannot reach ${target.name} (${host}:${port}): ${why}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Whatever breaks a connection to a target is the target's to answer for; our own errors stay what they are. */
function asUnreachable(target: Target, step: string, error: unknown): SallyportError {
  if (error instanceof SallyportError) return error
  return unreachable(
    target,
    `${step}: ${error instanceof Error ? reason(error) : 'no reason given'}`,
    undefined,
    error,
  )
}

function closed(): SallyportError {
  return new SallyportError('TARGET_UNREACHABLE', 'the target closed the connection')
}

function reason(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ECONNREFUSED' ? 'connection refused' : error.message
}

/** A string literal. With standard_conforming_strings on, which we set, only the quote needs doubling. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
