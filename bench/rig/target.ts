import { randomBytes } from 'node:crypto'
import { startTargetPostgres, type TargetPostgres } from '../../test/harness/postgres.ts'
import { runPgbench } from '../measure/pgbench.ts'
import { progress } from '../report.ts'
import type { Endpoint } from './endpoint.ts'

const DATABASE = 'bench'

export interface BenchTarget extends AsyncDisposable {
  readonly server: TargetPostgres
  readonly database: string
  readonly direct: Endpoint
  /** The same, as a role whose password is not stretched: what logging in costs without the client's 4,096 hashes. */
  readonly directUnstretched: Endpoint
  /** The account that the gateway makes its roles with. */
  readonly issuer: { readonly username: string; readonly password: string }
}

/** `wide`: 200 MB in 200,000 rows of ten columns. `narrow`: 180 MB in 4 million rows of three. */
const TABLES = `
CREATE UNLOGGED TABLE wide AS
  SELECT i AS id, i * 7 AS amount, now() AS at, ${Array.from({ length: 7 }, (_, n) => `repeat(md5((i + ${n})::text), 4) AS c${n}`).join(', ')}
  FROM generate_series(1, 204000) AS i;
CREATE UNLOGGED TABLE narrow AS SELECT i AS id, i % 1000 AS amount, 'customer ' || i % 9973 AS name
  FROM generate_series(1, 4000000) AS i;
`

/**
 * A PostgreSQL of its own with pgbench's tables (scale 10) and two for bulk results. It is not durable: nothing here
 * waits for a disk, so what is in front of the database shows more, not less.
 */
export async function startTarget(pgbench: string, tables: { readonly bulk: boolean }): Promise<BenchTarget> {
  progress('starting the target PostgreSQL (embedded, fsync off), pgbench -i at scale 10')
  const server = await startTargetPostgres({
    settings: [
      'shared_buffers=512MB',
      'max_connections=1300',
      'autovacuum=on',
      'max_wal_size=4GB',
      'max_parallel_workers_per_gather=0',
    ],
  })
  try {
    const passwords = { bench: secret(), unstretched: secret(), issuer: secret() }
    const root = await server.client()
    await root.query(`CREATE ROLE bench LOGIN PASSWORD '${passwords.bench}'`)
    await root.query(`CREATE DATABASE ${DATABASE} OWNER bench`)
    await root.query('CREATE DATABASE store')
    await root.query(
      `SET scram_iterations = 1; CREATE ROLE unstretched LOGIN IN ROLE bench PASSWORD '${passwords.unstretched}'`,
    )
    const at = (name: string, user: string, password: string): Endpoint => {
      return { name, host: server.host, port: server.port, user, password, database: DATABASE }
    }
    const direct = at('direct', 'bench', passwords.bench)
    await runPgbench(pgbench, direct, ['-i', '-s', '10', '-q'])
    const admin = await server.client(DATABASE)
    if (tables.bulk) await admin.query(TABLES)
    await admin.query(issuerAccount(passwords.issuer))
    await admin.query('VACUUM ANALYZE')
    await admin.query('CHECKPOINT')
    return {
      server,
      database: DATABASE,
      direct,
      directUnstretched: at('direct, no stretching', 'unstretched', passwords.unstretched),
      issuer: { username: 'sallyport_issuer', password: passwords.issuer },
      [Symbol.asyncDispose]: () => server.stop(),
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

function issuerAccount(password: string): string {
  return `
CREATE ROLE sallyport_issuer LOGIN CREATEROLE NOSUPERUSER PASSWORD '${password}';
GRANT pg_signal_backend TO sallyport_issuer;
GRANT USAGE ON SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO bench;`
}

/** Without anything that SQL, an INI file or a URL would want escaped. */
function secret(): string {
  return randomBytes(18).toString('hex')
}
