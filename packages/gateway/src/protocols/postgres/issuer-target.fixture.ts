import { existsSync, readdirSync } from 'node:fs'
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { startTargetPostgres } from '../../../../../test/harness/postgres.ts'
import type { Target } from '../../access/model.ts'
import { Secret } from '../../access/secret.ts'
import { initCluster } from '../../store/init-cluster.ts'
import { unprivilegedUser } from '../../store/run-as.ts'
import { runPostmaster } from '../../store/run-postmaster.ts'
import type { Credential } from '../contract.ts'

const ISSUER_PASSWORD = 'issuer, only for tests'

/** A server with a database `shop`, an owner of its tables, and an issuer account that is no superuser. */
export interface IssuerTarget extends AsyncDisposable {
  readonly target: Target
  readonly logFile: string
  /** Of an empty database on the same server, for a store. */
  readonly storeUrl: Secret
  /** The superuser, in the database `shop`. */
  readonly admin: Client
  /** A session with a temporary credential. */
  login(credential: Credential): Promise<Client>
  roles(): Promise<readonly string[]>
}

interface Server extends AsyncDisposable {
  readonly port: number
  readonly logFile: string
  readonly password: Secret
}

/** `embedded`, and the major versions that this machine's packages have: 15 on Debian 12. */
export function serverVersions(): readonly string[] {
  const root = '/usr/lib/postgresql'
  const packaged = existsSync(root) ? readdirSync(root) : []
  return ['embedded', ...packaged.filter((version) => existsSync(join(root, version, 'bin/initdb')))]
}

const SCHEMA = `
CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE sallyport_issuer LOGIN CREATEROLE NOSUPERUSER PASSWORD '${ISSUER_PASSWORD}';
GRANT pg_signal_backend TO sallyport_issuer;
GRANT CREATE ON SCHEMA public TO shop_owner;
SET ROLE shop_owner;
CREATE TABLE customers (id serial PRIMARY KEY, email text NOT NULL);
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note varchar(20));
CREATE VIEW emails AS SELECT email FROM customers;
CREATE TABLE secrets (id int);
INSERT INTO customers (email) VALUES ('ana@example.com'), ('omar@example.com');
GRANT SELECT, INSERT, UPDATE, DELETE ON customers, orders, emails TO sallyport_issuer WITH GRANT OPTION;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
`

export async function startIssuerTarget(
  version = 'embedded',
  settings: string[] = [],
): Promise<IssuerTarget> {
  const server =
    version === 'embedded' ? await startTargetPostgres({ settings }) : await startPackaged(version, settings)
  const clients = new Set<Client>()
  const open = async (user: string, password: Secret, database: string): Promise<Client> => {
    const client = new Client({
      host: '127.0.0.1',
      port: server.port,
      user,
      password: password.reveal(),
      database,
    })
    // Terminated sessions are what these tests are about.
    client.on('error', () => undefined)
    await client.connect()
    clients.add(client)
    return client
  }
  const first = await open('postgres', server.password, 'postgres')
  await first.query('CREATE DATABASE shop')
  await first.query('CREATE DATABASE other')
  const admin = await open('postgres', server.password, 'shop')
  await admin.query(SCHEMA)
  return {
    logFile: server.logFile,
    storeUrl: new Secret(
      `postgres://postgres:${encodeURIComponent(server.password.reveal())}@127.0.0.1:${server.port}/other`,
    ),
    admin,
    target: {
      name: 'shop',
      protocol: 'postgres',
      address: { host: '127.0.0.1', port: server.port },
      database: 'shop',
      tls: { mode: 'disable' },
      tags: {},
      recording: 'written',
      credentials: {
        issuer: 'postgres-role',
        username: 'sallyport_issuer',
        password: new Secret(ISSUER_PASSWORD),
        ttlSeconds: 900,
        prewarm: 0,
      },
    },
    login: (credential) => open(credential.username, credential.secret, 'shop'),
    async roles() {
      const { rows } = await admin.query<{ rolname: string }>(
        `SELECT rolname FROM pg_roles WHERE rolname LIKE 'sp\\_%' ORDER BY 1`,
      )
      return rows.map(({ rolname }) => rolname)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...clients].map((client) => client.end().catch(() => undefined)))
      await server[Symbol.asyncDispose]()
    },
  }
}

async function startPackaged(version: string, settings: string[]): Promise<Server> {
  const as = unprivilegedUser()
  const bin = join('/usr/lib/postgresql', version, 'bin')
  const binaries = { root: bin, initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') }
  // The harness's name for such folders: it clears away what a killed test run has left.
  const parent = await mkdtemp(join(await realpath(tmpdir()), `sallyport-test-pg-${process.pid}-`))
  await chmod(parent, 0o777)
  const password = new Secret('only for tests')
  const data = await initCluster(binaries, { parent, data: join(parent, 'data'), as }, 'postgres', password, [
    '--no-sync',
  ])
  const given = settings.map((setting) => [setting.split('=')[0], setting.split('=').slice(1).join('=')])
  const logFile = join(parent, 'server.log')
  const server = await runPostmaster({
    binaries,
    data,
    as,
    port: undefined,
    logFile,
    settings: { fsync: 'off', max_connections: '300', ...Object.fromEntries(given) },
  })
  return {
    port: server.port,
    logFile,
    password,
    async [Symbol.asyncDispose]() {
      await server.stop()
      await rm(parent, { recursive: true, force: true })
    },
  }
}
