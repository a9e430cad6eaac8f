import { mkdir, mkdtemp, readFile, realpath, rm, writeFile, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'pg'
import { sign, signingKey, TestIssuer } from '../../packages/gateway/src/identity/test-issuer.fixture.ts'
import { startTargetPostgres, type TargetPostgres } from './postgres.ts'
import { until } from './until.ts'

const ISSUER_PASSWORD = 'issuer-only-for-tests'
const STORE_PASSWORD = 'store-only-for-tests'

export interface TokenWish {
  /** Of `shop-policies.cedar`: readers, writers, callers, admins. */
  readonly groups?: readonly string[]
  readonly kind?: 'user' | 'agent' | 'service'
  /** The person that this agent acts for; the groups are then the person's. */
  readonly actingFor?: string
  /** Epoch seconds. */
  readonly expires?: number
  /** Further claims. */
  readonly claims?: Readonly<Record<string, unknown>>
}

export interface WorldOptions {
  /** Cedar, in place of `shop-policies.cedar`. */
  readonly policies?: string
  /** Further resource files, by path. */
  readonly files?: Readonly<Record<string, string>>
  /** More that the configuration and the resources refer to. */
  readonly env?: Readonly<Record<string, string>>
  /** Members of `sallyport.yaml` that differ; ISSUER stands for the provider's address. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Of the target. */
  readonly postgres?: Parameters<typeof startTargetPostgres>[0]
  /** Runs in the target's database before any gateway has seen it. */
  readonly prepare?: (superuser: Client, target: TargetPostgres) => Promise<void>
}

/**
 * Everything around a gateway: a target PostgreSQL with the databases `shop` and `other` and an issuer account that is no
 * superuser, a database for the store on the same server, an OIDC provider, and a folder with `sallyport.yaml`.
 */
export interface TestWorld extends AsyncDisposable {
  readonly target: TargetPostgres
  readonly idp: TestIssuer
  readonly folder: string
  /** Path of `sallyport.yaml`. */
  readonly config: string
  readonly resources: string
  readonly dataDir: string
  /** What the configuration and the resources refer to. */
  readonly env: Readonly<Record<string, string>>
  token(principal: string, wish?: TokenWish): Promise<string>
  /** Our roles on the target, as its superuser sees them: those that can log in, or capability roles too. */
  roles(which: 'login' | 'all'): Promise<readonly string[]>
  /** Resolves once a statement with this in its text is running on the target. */
  running(part: string): Promise<void>
  /** Cuts the gateway off its store, and lets it back. */
  storeIsAway(away: boolean): Promise<void>
}

export async function startTestWorld(options: WorldOptions = {}): Promise<TestWorld> {
  await using started = new AsyncDisposableStack()
  const key = await signingKey('test')
  const [target, idp] = await Promise.all([startTargetPostgres(options.postgres), TestIssuer.start(key)])
  started.use(target)
  started.use(idp)
  const superuser = await target.client()
  await makeDatabases(superuser)
  const shop = await target.client('shop')
  await shop.query(await readFile(join(import.meta.dirname, 'shop-schema.sql'), 'utf8'))
  await shop.query(await readFile(ISSUER_SQL, 'utf8'))
  await shop.query(`ALTER ROLE sallyport_issuer PASSWORD '${ISSUER_PASSWORD}'`)
  await options.prepare?.(shop, target)

  const folder = await mkdtemp(join(await realpath(tmpdir()), 'sallyport-test-gateway-'))
  started.defer(() => rm(folder, { recursive: true, force: true }))
  // As root an embedded store runs as another account, which must get through to its data.
  await chmod(folder, 0o711)
  const resources = join(folder, 'resources')
  await mkdir(resources)
  for (const [path, text] of Object.entries({
    'targets.yaml': targets(target),
    'policies.cedar':
      options.policies ?? (await readFile(join(import.meta.dirname, 'shop-policies.cedar'), 'utf8')),
    ...options.files,
  })) {
    await writeFile(join(resources, path), text)
  }
  const config = join(folder, 'sallyport.yaml')
  await writeFile(
    config,
    JSON.stringify({ ...settings(target, idp), ...options.settings }).replaceAll(
      '"ISSUER"',
      JSON.stringify(idp.url),
    ),
  )

  const kept = started.move()
  return {
    target,
    idp,
    folder,
    config,
    resources,
    dataDir: join(folder, 'data'),
    env: { TEST_ISSUER_PASSWORD: ISSUER_PASSWORD, ...options.env },
    async token(principal, { groups = ['readers'], kind, actingFor, expires, claims } = {}) {
      const now = Math.floor(Date.now() / 1000)
      const who =
        actingFor === undefined
          ? { sub: principal, kind: kind ?? 'user' }
          : { sub: actingFor, act: { sub: principal } }
      return await sign(key, {
        iss: idp.url,
        aud: 'sallyport',
        iat: now,
        exp: expires ?? now + 3600,
        groups,
        ...claims,
        ...who,
      })
    },
    async roles(which) {
      const { rows } = await superuser.query<{ rolname: string }>(
        'SELECT rolname FROM pg_roles WHERE rolname ~ $1 ORDER BY rolname',
        [which === 'login' ? '^sp_[0-9a-f]{8}_l_' : '^sp_[0-9a-f]{8}_'],
      )
      return rows.map((row) => row.rolname)
    },
    running: (part) =>
      until(`${part} runs on the target`, async () => {
        const sql =
          "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()"
        return (await superuser.query(sql, [`%${part}%`])).rowCount === 1 ? true : undefined
      }).then(() => undefined),
    async storeIsAway(away) {
      await superuser.query(`ALTER DATABASE sallyport ALLOW_CONNECTIONS ${away ? 'false' : 'true'}`)
      if (away) {
        await superuser.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'sallyport'",
        )
      }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** The account as operators are told to make it. */
const ISSUER_SQL = join(import.meta.dirname, '../../packages/cli/src/dev/shop/issuer.sql')

async function makeDatabases(superuser: Client): Promise<void> {
  await superuser.query(`CREATE ROLE sallyport_store LOGIN PASSWORD '${STORE_PASSWORD}'`)
  await superuser.query('CREATE DATABASE sallyport OWNER sallyport_store')
  await superuser.query('CREATE DATABASE shop')
  await superuser.query('CREATE DATABASE other')
}

function settings(target: TargetPostgres, idp: TestIssuer): Record<string, unknown> {
  return {
    listen: { http: '127.0.0.1:0', postgres: '127.0.0.1:0' },
    database: `postgres://sallyport_store:${STORE_PASSWORD}@${target.host}:${target.port}/sallyport`,
    dataDir: './data',
    resources: './resources',
    identity: {
      issuers: [
        {
          issuer: idp.url,
          audience: 'sallyport',
          claims: { kind: 'kind', attributes: { email: 'email', email_verified: 'email_verified' } },
        },
      ],
    },
    // A hundred clients that connect at once on a machine that is busy otherwise are not to be turned away.
    limits: { handshake: '60s' },
    log: { level: 'warn' },
  }
}

function targets({ host, port }: TargetPostgres): string {
  return ['shop', 'other']
    .map((name) =>
      JSON.stringify({
        kind: 'Target',
        name,
        protocol: 'postgres',
        address: `${host}:${port}`,
        database: name,
        tls: 'disable',
        tags: { env: 'test' },
        credentials: {
          issuer: 'postgres-role',
          username: 'sallyport_issuer',
          password: { env: 'TEST_ISSUER_PASSWORD' },
          ttl: '15m',
        },
      }),
    )
    .join('\n---\n')
}
