import { ApiError } from '@sallyport/api'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readFile } from 'node:fs/promises'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { endOf } from '../harness/session-end.ts'
import { until } from '../harness/until.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway({
    files: {
      'down.yaml': `
kind: Target
name: down
protocol: postgres
address: 127.0.0.1:1
database: shop
tls: disable
credentials: { issuer: postgres-role, username: sallyport_issuer, password: { env: TEST_ISSUER_PASSWORD }, ttl: 15m }
`,
    },
  })
})
afterAll(() => world[Symbol.asyncDispose]())

const ADMIN = { groups: ['admins'] }

async function roleOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ role: string }>('SELECT current_user AS role')
  return rows[0]?.role ?? ''
}

/** The newest live session of this principal. */
async function liveSession(principal: string): Promise<string> {
  const api = await world.access.api('eve', ADMIN)
  return await until(`a live session of ${principal}`, async () => {
    const { sessions } = await api.sessions.list({ principal, live: true, limit: 1 })
    return sessions[0]?.id
  })
}

async function isGone(role: string): Promise<void> {
  await until(`the role ${role} is gone`, async () => !(await world.roles('login')).includes(role))
}

describe('a session', () => {
  test('has a role of its own on the target as long as it lasts', async () => {
    const client = await world.access.connect('role-owner')
    const role = await roleOf(client)
    expect(role).toMatch(/^sp_[0-9a-f]{8}_l_/)
    expect(await world.roles('login')).toContain(role)
    await client.end()
    await isGone(role)
  })

  test('is on record from its first statement to its end', async () => {
    const client = await world.access.connect('insight-agent', {
      actingFor: 'ana',
      purpose: 'the monthly report',
    })
    await client.query('SELECT name FROM customers WHERE id = $1', [7])
    await client.query('DROP TABLE customers').catch(() => undefined)
    await client.end()
    const api = await world.access.api('insight-agent', { actingFor: 'ana' })
    const session = await until('the session is ended', async () => {
      const [newest] = (await api.sessions.list({ limit: 1 })).sessions
      return newest?.endedAt === undefined ? undefined : newest
    })
    expect(session).toMatchObject({
      principal: { kind: 'agent', id: 'insight-agent', actingFor: { kind: 'user', id: 'ana' } },
      target: 'shop',
      purpose: 'the monthly report',
      endReason: 'client',
      denied: 1,
      rows: 1,
    })
    const { events } = await api.sessions.events(session.id)
    const statements = events.flatMap((event) =>
      event.kind === 'statement' ? [[event.text, event.decision.effect, ...event.decision.policies]] : [],
    )
    expect(statements).toEqual([
      ['SELECT name FROM customers WHERE id = $1', 'permit', 'readers-read'],
      ['DROP TABLE customers', 'deny', 'structure-is-fixed'],
    ])
    expect(events.find(({ kind }) => kind === 'execute')).toMatchObject({ parameters: ['7'] })
    expect(events.map(({ n }) => n)).toEqual(events.map((_, n) => n))
  })

  test('ends when its ticket is revoked', async () => {
    const ticket = await world.access.ticket('revoked')
    const client = await world.access.connect('revoked', { password: ticket.secret })
    const role = await roleOf(client)
    const ended = endOf(client)
    await (await world.access.api('revoked')).tickets.revoke(ticket.id)
    expect(await ended).toMatchObject({
      code: '57P01',
      message: 'the ticket that opened this session was revoked',
    })
    await isGone(role)
    await expect(world.access.connect('revoked', { password: ticket.secret })).rejects.toMatchObject({
      code: '28P01',
    })
  })

  test('ends when its ticket does', async () => {
    const client = await world.access.connect('brief', { ttl: '5s' })
    const role = await roleOf(client)
    expect(await endOf(client)).toMatchObject({
      code: '57P01',
      message: 'the session has reached its deadline',
    })
    await isGone(role)
  })

  test('ends when it is killed, also in the middle of a statement, and its client hears why', async () => {
    const client = await world.access.connect('killed', { groups: ['readers', 'callers'] })
    const role = await roleOf(client)
    const ended = endOf(client)
    const sleeping = client.query('SELECT pg_sleep(601)').catch((error: unknown) => error)
    await world.running('pg_sleep(601)')
    const api = await world.access.api('eve', ADMIN)
    const id = await liveSession('killed')
    await api.sessions.kill(id, { reason: 'it was a drill' })
    expect(await sleeping).toMatchObject({ code: '57P01', message: 'killed by eve: it was a drill' })
    await ended
    await isGone(role)
    await until('nothing of it runs on the target', async () => {
      const superuser = await world.target.client()
      const { rowCount } = await superuser.query(
        "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(601)%' AND pid <> pg_backend_pid()",
      )
      await superuser.end()
      return rowCount === 0
    })
    expect((await api.sessions.get(id)).endReason).toBe('killed by eve: it was a drill')
    await expect(api.sessions.kill(id)).rejects.toMatchObject({ code: 'SESSION_ENDED', status: 409 })
  })

  test('cannot be killed by somebody without leave to', async () => {
    const client = await world.access.connect('alive')
    const stranger = await world.access.api('mallory')
    const id = await liveSession('alive')
    await expect(stranger.sessions.kill(id)).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
    await expect(stranger.sessions.get(id)).rejects.toBeInstanceOf(ApiError)
    expect(await roleOf(client)).toMatch(/^sp_/)
  })

  test('ends when its lease is revoked', async () => {
    const client = await world.access.connect('leased')
    const role = await roleOf(client)
    const ended = endOf(client)
    const api = await world.access.api('eve', ADMIN)
    const { leases } = await api.leases.list({ state: 'issued' })
    await api.leases.revoke(leases.find(({ handle }) => handle === role)?.id ?? '')
    expect(await ended).toMatchObject({ code: '57P01' })
    await isGone(role)
  })

  test('ends when what is applied no longer permits it; others go on', async () => {
    const groups = ['readers', 'temporary']
    const permitted = await world.access.connect('stays')
    const api = await world.access.api('eve', ADMIN)
    const before = await api.resources.current()
    const withForbid = [
      ...before.files,
      {
        path: 'closed.cedar',
        text: '@id("temporary-closed")\n@reason("the quarter is over")\nforbid (principal in Group::"temporary", action == Action::"connect", resource);\n',
      },
    ]
    const client = await world.access.connect('goes', { groups })
    const role = await roleOf(client)
    const ended = endOf(client)
    await api.resources.apply({ expected: before.version, files: withForbid })
    const end = await ended
    expect(end).toMatchObject({ code: '57P01' })
    expect(end?.message).toContain('the quarter is over')
    await isGone(role)
    expect(await roleOf(permitted)).toMatch(/^sp_/)
    await expect(world.access.ticket('goes', { groups })).rejects.toMatchObject({
      code: 'ACCESS_POLICY_DENIED',
    })
    await expect(
      api.resources.apply({ expected: before.version, files: before.files }),
    ).rejects.toMatchObject({
      code: 'RESOURCE_CONFLICT',
    })
    await api.resources.apply({ expected: before.version + 1, files: before.files })
    expect(await roleOf(await world.access.connect('goes', { groups }))).toMatch(/^sp_/)
  })
})

describe('on the target itself', () => {
  async function direct(user: string, password: string): Promise<unknown> {
    const { host, port } = world.target
    const client = new Client({ host, port, user, password, database: 'shop' })
    try {
      await client.connect()
      await client.end()
      return 'logged in'
    } catch (error) {
      return (error as { code?: string }).code
    }
  }

  test("neither the ticket nor the session's role lets anybody in", async () => {
    const { secret } = await world.access.ticket('direct')
    const client = await world.access.connect('direct', { password: secret })
    const role = await roleOf(client)
    expect(await direct(role, secret)).toBe('28P01')
    expect(await direct('direct', secret)).toBe('28P01')
  })

  test('the role may do what policy permits and no more, whatever the gateway lets through', async () => {
    const client = await world.access.connect('bounded')
    const role = await roleOf(client)
    const superuser = await world.target.client('shop')
    const may = async (what: string): Promise<unknown> =>
      (await superuser.query(`SELECT ${what.replace('ROLE', `'${role}'`)} AS may`)).rows[0]?.may
    expect(await may("has_table_privilege(ROLE, 'customers', 'SELECT')")).toBe(true)
    expect(await may("has_table_privilege(ROLE, 'customers', 'INSERT')")).toBe(false)
    expect(await may("has_table_privilege(ROLE, 'secrets', 'SELECT')")).toBe(false)
    expect(await may("has_schema_privilege(ROLE, 'public', 'CREATE')")).toBe(false)
    expect(await may("pg_has_role(ROLE, 'sallyport_issuer', 'MEMBER')")).toBe(false)
  })

  test('its log holds neither passwords nor verifiers of ours', async () => {
    const log = await readFile(world.target.logFile, 'utf8')
    expect(log).not.toMatch(/SCRAM-SHA-256\$|spt_/)
  })
})

describe('nobody gets in', () => {
  test.each<[string, object, string, RegExp]>([
    [
      'with a ticket that is none',
      { password: 'spt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
      '28P01',
      /ticket/,
    ],
    ['with a password that is neither a ticket nor a token', { password: 'hunter2' }, '28P01', /token/],
    ['with an empty password', { password: '' }, '28P01', /./],
  ])('%s', async (_, wish, code, message) => {
    await expect(world.access.connect('ana', wish)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  test("with another target's ticket", async () => {
    const { secret } = await world.access.ticket('ana', { target: 'other' })
    await expect(world.access.connect('ana', { target: 'shop', password: secret })).rejects.toMatchObject({
      code: '28P01',
    })
  })

  test('to a target that is not there', async () => {
    const password = await world.token('ana')
    await expect(world.access.connect('ana', { target: 'nowhere', password })).rejects.toMatchObject({
      code: '3D000',
      message: 'there is no target "nowhere"',
    })
    await expect(world.access.ticket('ana', { target: 'nowhere' })).rejects.toMatchObject({
      code: 'TARGET_UNKNOWN',
    })
  })

  test('to a target that is down, and is told so', async () => {
    const password = await world.token('ana')
    await expect(world.access.connect('ana', { target: 'down', password })).rejects.toMatchObject({
      code: '08001',
    })
  })

  test('whom policy does not let connect', async () => {
    const password = await world.token('mallory', { groups: [] })
    await expect(world.access.connect('mallory', { password })).rejects.toMatchObject({ code: '42501' })
  })

  test('with a token that has expired', async () => {
    const password = await world.token('ana', { expires: Math.floor(Date.now() / 1000) - 3600 })
    await expect(world.access.connect('ana', { password })).rejects.toMatchObject({
      code: '28P01',
      message: expect.stringContaining('expired'),
    })
  })
})

test('a token of the identity provider does in place of a ticket', async () => {
  const client = await world.access.connect('ana', { password: await world.token('ana') })
  expect(await roleOf(client)).toMatch(/^sp_/)
})

test('an identity provider that is away is said to be, and keys that are known still count', async () => {
  await using other = await startTestGateway()
  other.idp.discovery = (_, response) => response.writeHead(503).end()
  const password = await other.token('ana')
  await expect(other.access.connect('ana', { password })).rejects.toMatchObject({
    code: '08001',
    message: expect.stringContaining('identity provider'),
  })
  other.idp.discovery = undefined
  await until('the provider is asked again', () =>
    other.access.connect('ana', { password }).then(
      () => true,
      () => undefined,
    ),
  )
  other.idp.discovery = (_, response) => response.writeHead(503).end()
  other.idp.jwks = (_, response) => response.writeHead(503).end()
  await other.access.connect('ana', { password: await other.token('ana') })
})

test('stopping the gateway ends its sessions, says so, and leaves no credential behind', async () => {
  await using other = await startTestGateway()
  const clients = await Promise.all([1, 2, 3].map(() => other.access.connect('ana')))
  const ends = clients.map(endOf)
  expect(await other.roles('login')).not.toEqual([])
  await other.gateway.close()
  for (const end of await Promise.all(ends)) {
    expect(end).toMatchObject({ code: '57P01', message: 'the gateway is stopping' })
  }
  expect(await other.roles('login')).toEqual([])
  expect(other.errors).toEqual([])
})
