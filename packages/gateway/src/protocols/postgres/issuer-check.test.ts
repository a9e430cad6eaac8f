import { createServer } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTargetPostgres } from '../../../../../test/harness/postgres.ts'
import type { Target } from '../../access/model.ts'
import { Secret } from '../../access/secret.ts'
import { PostgresRoleIssuer } from './credentials.ts'
import type { IssuerFinding } from './issuer-check.ts'
import { type IssuerTarget, serverVersions, startIssuerTarget } from './issuer-target.fixture.ts'

const signal = AbortSignal.timeout(10 * 60_000)

async function check(target: Target): Promise<readonly IssuerFinding[]> {
  await using issuer = new PostgresRoleIssuer(target)
  return await issuer.check(signal)
}
const failed = (findings: readonly IssuerFinding[]): string[] =>
  findings.filter(({ ok }) => !ok).map(({ step }) => step)

describe.each(serverVersions())('on PostgreSQL %s', (version) => {
  let server: IssuerTarget
  beforeAll(async () => {
    server = await startIssuerTarget(version)
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  test('an account that has all it needs passes, and nothing is left of the rehearsal', async () => {
    const findings = await check(server.target)
    expect(failed(findings)).toEqual([])
    expect(findings.map(({ step }) => step)).toEqual([
      'connect',
      'version',
      'not-superuser',
      'createrole',
      'inherit',
      'terminate',
      'password-encryption',
      'rehearsal',
      'grants:public',
    ])
    expect(await server.roles()).toEqual([])
  })

  test.each([
    ['createrole', 'ALTER ROLE sallyport_issuer NOCREATEROLE'],
    ['terminate', 'REVOKE pg_signal_backend FROM sallyport_issuer'],
    ['inherit', 'ALTER ROLE sallyport_issuer NOINHERIT'],
    [
      'grants:public',
      'REVOKE GRANT OPTION FOR ALL ON ALL TABLES IN SCHEMA public FROM sallyport_issuer CASCADE',
    ],
  ])('%s: what is missing is found, and the SQL given for it mends it', async (step, break_) => {
    await server.admin.query(break_)
    const findings = await check(server.target)
    expect(failed(findings)).toContain(step)
    for (const { mend } of findings) if (mend !== undefined) await server.admin.query(mend)
    expect(failed(await check(server.target))).toEqual([])
  })
})

test('a target that is not there, a wrong password and a wrong database are told apart', async () => {
  await using server = await startIssuerTarget()
  const { target } = server
  const wrong = { ...target.credentials, password: new Secret('a wrong secret') }
  const [absent] = await check({ ...target, address: { host: '127.0.0.1', port: 1 } })
  const [refused] = await check({ ...target, credentials: wrong })
  const [unknown] = await check({ ...target, database: 'nowhere' })
  expect(absent?.detail).toContain('connection refused')
  expect(refused?.detail).toContain('cannot log in')
  expect(unknown?.detail).toContain('"nowhere" does not exist')
  expect(JSON.stringify([absent, refused, unknown])).not.toContain('a wrong secret')
})

test('TLS is used as the target says', async () => {
  await using server = await startTargetPostgres({ tls: true })
  const base: Target = {
    name: 'tls',
    protocol: 'postgres',
    address: { host: '127.0.0.1', port: server.port },
    database: 'postgres',
    tls: { mode: 'verify-full', ca: server.ca ?? '' },
    tags: {},
    recording: 'written',
    credentials: {
      issuer: 'postgres-role',
      username: server.user,
      password: server.password,
      ttlSeconds: 60,
      prewarm: 0,
    },
  }
  expect((await check(base))[0]).toMatchObject({ ok: true, detail: expect.stringContaining('with TLS') })
  expect((await check({ ...base, tls: { mode: 'require' } }))[0]).toMatchObject({ ok: true })
  expect((await check({ ...base, tls: { mode: 'verify-full' } }))[0]).toMatchObject({ ok: false })
  expect((await check({ ...base, tls: { mode: 'disable' } }))[0]).toMatchObject({
    detail: expect.stringContaining('without TLS'),
  })
})

test.each([
  ['as it is', 3, Buffer.alloc(0)],
  ['as an MD5 hash', 5, Buffer.from('salt')],
])('a server that asks for the password %s does not get it', async (form, kind, rest) => {
  const heard: Buffer[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      const body = Buffer.alloc(9)
      body.write('R')
      body.writeInt32BE(8 + rest.length, 1)
      body.writeInt32BE(kind, 5)
      socket.on('data', (chunk) => heard.push(chunk))
      socket.write(Buffer.concat([body, rest]))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const [finding] = await check({
    name: 'hostile',
    protocol: 'postgres',
    address: { host: '127.0.0.1', port },
    database: 'postgres',
    tls: { mode: 'disable' },
    tags: {},
    recording: 'written',
    credentials: {
      issuer: 'postgres-role',
      username: 'issuer',
      password: new Secret('worth stealing'),
      ttlSeconds: 60,
      prewarm: 0,
    },
  })
  server.close()
  expect(finding).toMatchObject({ ok: false, detail: expect.stringContaining(form) })
  expect(Buffer.concat(heard).length).toBeLessThanOrEqual(5)
})
