import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PgbenchMode } from '../options.ts'
import type { Endpoint } from '../rig/endpoint.ts'
import { ascending } from '../statistics.ts'

export interface PgbenchRun {
  readonly tps: number
  /** How many transactions. */
  readonly count: number
  /** Of every transaction, in microseconds, in ascending order. */
  readonly latencies: readonly number[]
}

/** Debian's /usr/bin/pgbench is a script that looks for the real one; undefined when there is none. */
export function findPgbench(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const packaged = existsSync(debian)
    ? readdirSync(debian)
        .toSorted((a, b) => Number(b) - Number(a))
        .map((version) => join(debian, version, 'bin/pgbench'))
    : []
  return [...packaged, '/usr/local/bin/pgbench', '/usr/bin/pgbench'].find((path) => existsSync(path))
}

/** Runs pgbench's select-only script. One thread, so that the client costs the same wherever it connects. */
export async function selectOnly(
  pgbench: string,
  endpoint: Endpoint,
  options: { readonly mode: PgbenchMode; readonly clients: number; readonly seconds: number },
): Promise<PgbenchRun> {
  // In memory where there is such a place: a disk that is busy with the log would be measured too.
  const logs = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sallyport-bench-'))
  try {
    const flags = ['-n', '-S', '-M', options.mode, '-c', options.clients, '-j', 1, '-T', options.seconds]
    const out = await runPgbench(pgbench, endpoint, [
      ...flags.map(String),
      '-l',
      `--log-prefix=${join(logs, 'l')}`,
    ])
    const latencies = readdirSync(logs).flatMap((name) =>
      latenciesOf(readFileSync(join(logs, name), 'latin1')),
    )
    return {
      tps: Number(/tps = ([\d.]+)/.exec(out)?.[1]),
      count: latencies.length,
      latencies: ascending(latencies),
    }
  } finally {
    rmSync(logs, { recursive: true, force: true })
  }
}

/** @throws Error with what pgbench said when it failed */
export function runPgbench(pgbench: string, endpoint: Endpoint, flags: readonly string[]): Promise<string> {
  const { host, port, user, password, database } = endpoint
  const child = spawn(pgbench, [...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: database,
      PGSSLMODE: 'disable',
    },
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(said.stdout)
      else reject(new Error(`pgbench at ${endpoint.name} failed: ${said.stderr.slice(0, 2000)}`))
    })
  })
}

/** Third field of each line: how long the transaction took, in microseconds. */
function latenciesOf(log: string): number[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split(' ')[2]))
}
