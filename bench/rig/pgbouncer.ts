import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../packages/gateway/src/store/free-port.ts'
import { unprivilegedUser } from '../../packages/gateway/src/store/run-as.ts'
import type { Endpoint } from './endpoint.ts'
import { untilListening } from './until-listening.ts'

export interface PgBouncer extends AsyncDisposable {
  readonly pid: number
  readonly endpoint: Endpoint
}

export function findPgBouncer(): string | undefined {
  return ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'].find((path) =>
    existsSync(path),
  )
}

/** PgBouncer in session mode, clients authenticated with SCRAM, as an account that is not root. */
export async function startPgBouncer(
  program: string,
  direct: Endpoint,
  interrupted: AbortSignal,
): Promise<PgBouncer> {
  const as = unprivilegedUser()
  const home = await mkdtemp(join(await realpath(tmpdir()), 'sallyport-bench-pgbouncer-'))
  const users = join(home, 'users.txt')
  const settings = join(home, 'pgbouncer.ini')
  const port = await freePort()
  await writeFile(users, `"${direct.user}" "${direct.password}"\n`, { mode: 0o600 })
  await writeFile(settings, ini(direct, port, users))
  if (as.uid !== undefined && as.gid !== undefined) {
    await chmod(home, 0o711)
    await Promise.all([users, settings].map((path) => chown(path, as.uid ?? 0, as.gid ?? 0)))
  }
  const child = spawn(program, ['-q', settings], { ...as, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)))
  const exited = once(child, 'exit')
  const interrupt = (): void => void child.kill('SIGINT')
  interrupted.addEventListener('abort', interrupt)
  const stop = async (): Promise<void> => {
    interrupt()
    const killer = setTimeout(() => child.kill('SIGKILL'), 5000)
    await exited
    clearTimeout(killer)
    interrupted.removeEventListener('abort', interrupt)
    await rm(home, { recursive: true, force: true })
  }
  const { pid } = child
  if (pid === undefined || !(await untilListening(direct.host, port, 10_000))) {
    await stop()
    throw new Error(`PgBouncer did not start: ${said}`)
  }
  return { pid, endpoint: { ...direct, name: 'pgbouncer', port }, [Symbol.asyncDispose]: stop }
}

function ini(direct: Endpoint, port: number, users: string): string {
  return `[databases]
${direct.database} = host=${direct.host} port=${direct.port} dbname=${direct.database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = session
default_pool_size = 1200
max_client_conn = 2000
log_connections = 0
log_disconnections = 0
log_stats = 0
ignore_startup_parameters = extra_float_digits
`
}
