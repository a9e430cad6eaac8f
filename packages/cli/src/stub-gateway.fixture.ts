import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

export interface Answer {
  readonly status: number
  readonly body?: unknown
}

/** Answers the control API as it is told to, and echoes what comes to its PostgreSQL port, a line at a time. */
export interface StubGateway extends AsyncDisposable {
  readonly url: string
  readonly postgresPort: number
  /** `POST /api/v1/tickets`, …: every request that came, in order. */
  readonly requests: string[]
  readonly bodies: unknown[]
  /** Connections to the PostgreSQL port that are open. */
  readonly connections: ReadonlySet<Socket>
}

export const TICKET = 'spt_test-ticket'

/** @param answers by `METHOD /path`; a ticket is issued and revoked without being told to */
export async function stubGateway(answers: Readonly<Record<string, Answer>> = {}): Promise<StubGateway> {
  const connections = new Set<Socket>()
  const tcp = createTcpServer((socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  const requests: string[] = []
  const bodies: unknown[] = []
  const http = createHttpServer((request, response) => void answer(request, response))
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const path = (request.url ?? '').split('?')[0]
    const name = `${request.method} ${path}`
    requests.push(name)
    bodies.push(text === '' ? undefined : JSON.parse(text))
    const { status, body } = answers[name] ?? standard(name, (tcp.address() as AddressInfo).port)
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }
  http.listen(0, '127.0.0.1')
  tcp.listen(0, '127.0.0.1')
  await Promise.all([once(http, 'listening'), once(tcp, 'listening')])
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    postgresPort: (tcp.address() as AddressInfo).port,
    requests,
    bodies,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of connections) socket.destroy()
      http.closeAllConnections()
      await Promise.all([once(http.close(), 'close'), once(tcp.close(), 'close')])
    },
  }
}

function standard(name: string, postgresPort: number): Answer {
  if (name.startsWith('DELETE /api/v1/tickets/')) return { status: 204 }
  if (name !== 'POST /api/v1/tickets') return problem(404, 'REQUEST_INVALID', `there is no ${name}`)
  const env = { PGHOST: '127.0.0.1', PGPORT: String(postgresPort), PGUSER: 'ana', PGDATABASE: 'shop' }
  const url = `postgresql://ana@127.0.0.1:${postgresPort}/shop`
  const expiresAt = '2030-01-01T00:00:00.000Z'
  return { status: 201, body: { ticket: TICKET, id: 'tkt_1', expiresAt, connection: { url, env } } }
}

export function problem(status: number, code: string, detail: string, more: object = {}): Answer {
  const type = `urn:sallyport:error:${code.toLowerCase()}`
  return { status, body: { type, title: code, status, detail, code, requestId: 'req_1', ...more } }
}

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The real binary in a process of its own. */
export function startSallyport(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  options: { readonly node?: string; readonly input?: string; readonly cwd?: string } = {},
): { readonly child: ChildProcess; readonly finished: Promise<Finished> } {
  const bin = fileURLToPath(new URL('../bin/sallyport.js', import.meta.url))
  const child = spawn(options.node ?? process.execPath, [bin, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...env },
    cwd: options.cwd ?? '/',
  })
  child.stdin.end(options.input ?? '')
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const finished = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    stderr,
  }))
  return { child, finished }
}

/** Runs the real binary to its end. */
export function sallyport(...args: Parameters<typeof startSallyport>): Promise<Finished> {
  return startSallyport(...args).finished
}
