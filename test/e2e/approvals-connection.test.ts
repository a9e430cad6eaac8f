import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { endOf } from '../harness/session-end.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 })

const POLICIES = `
@id("open") permit (principal, action in [Action::"connect", Action::"read"], resource);
@id("connections-are-approved") @approvers("group:dba") @ttl("10m") @reason("production is opened by people")
forbid (principal, action == Action::"connect", resource == Target::"shop") unless { context has approval };
`
const DBA = { groups: ['dba'] }

const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`

let world: TestGateway
/** What a receiver of webhooks was sent, each checked as Standard Webhooks has it. */
const told: { readonly type: string; readonly data: { readonly id: string } }[] = []
const receiver = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', (text: string) => (body += text))
  request.on('end', () => {
    told.push(
      new Webhook(SECRET).verify(body, request.headers as Record<string, string>) as (typeof told)[number],
    )
    response.end()
  })
})

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const { port } = receiver.address() as AddressInfo
  world = await startTestGateway({
    policies: POLICIES,
    env: { TEST_HOOK: SECRET },
    settings: {
      webhooks: {
        endpoints: [{ url: `http://127.0.0.1:${port}/`, secret: { env: 'TEST_HOOK' } }],
        allowAddresses: ['127.0.0.1/32'],
      },
    },
  })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  receiver.closeAllConnections()
  receiver.close()
})

const pending = async (): Promise<
  readonly { readonly id: string; readonly principal: { readonly id: string } }[]
> => (await (await world.access.api('bo', DBA)).approvals.list({ state: 'pending' })).approvals

test('a connection that needs approval is refused, asked about once, and then opened until it is revoked', async () => {
  const refused = expect.objectContaining({
    code: '42501',
    message: expect.stringMatching(/needs approval by dba: production is opened by people/),
    where: expect.stringContaining('APPROVAL_PENDING'),
  })
  await expect(world.access.connect('ana')).rejects.toEqual(refused)
  await expect(world.access.connect('ana')).rejects.toEqual(refused)
  const waiting = await pending()
  expect(waiting).toHaveLength(1)
  const id = waiting[0]?.id ?? ''
  const approvers = (await world.access.api('bo', DBA)).approvals
  expect(await approvers.get(id)).toMatchObject({ kind: 'connection', summary: 'connect', target: 'shop' })
  await expect(
    (await world.access.api('ana', DBA)).approvals.approve(id, { reason: 'mine' }),
  ).rejects.toMatchObject({
    code: 'APPROVAL_NOT_YOURS',
  })
  await approvers.approve(id, { reason: 'for an hour', grant: { kind: 'connection', seconds: 300 } })

  const client = await world.access.connect('ana')
  await client.query('BEGIN')
  expect((await client.query('SELECT count(*)::int AS n FROM customers')).rows).toEqual([{ n: 1000 }])
  await client.query('COMMIT')
  const second = await world.access.connect('ana')
  await expect(world.access.connect('omar')).rejects.toEqual(refused)
  await expect(world.access.connect('ana', { target: 'other' })).resolves.toBeDefined()

  const ended = Promise.all([endOf(client), endOf(second)])
  await approvers.revoke(id, { reason: 'enough' })
  for (const end of await ended) {
    expect(end).toMatchObject({ code: '57P01', message: expect.stringContaining('bo revoked it: enough') })
  }
  await expect(world.access.connect('ana')).rejects.toEqual(refused)
  const typesOf = (): string[] => told.filter(({ data }) => data.id === id).map(({ type }) => type)
  await until('the receiver was told all of it', () => typesOf().includes('approval.withdrawn'))
  expect(new Set(typesOf())).toEqual(
    new Set(['approval.requested', 'approval.granted', 'approval.used', 'approval.withdrawn']),
  )
})

test('a connection ends with its grant', async () => {
  await expect(world.access.connect('cleo')).rejects.toMatchObject({ code: '42501' })
  const id = (await pending()).find(({ principal }) => principal.id === 'cleo')?.id ?? ''
  const approvers = (await world.access.api('bo', DBA)).approvals
  await approvers.approve(id, { reason: 'a moment', grant: { kind: 'connection', seconds: 2 } })
  const client = await world.access.connect('cleo')
  expect(await endOf(client)).toMatchObject({ code: '57P01' })
  await until('the grant has expired', async () => (await approvers.get(id)).state === 'expired')
})

test('a denial is final for that request, and the next connection asks anew', async () => {
  await expect(world.access.connect('dan')).rejects.toMatchObject({ code: '42501' })
  const first = (await pending()).find(({ principal }) => principal.id === 'dan')?.id ?? ''
  await (await world.access.api('bo', DBA)).approvals.deny(first, { reason: 'no' })
  await expect(world.access.connect('dan')).rejects.toMatchObject({ code: '42501' })
  const second = (await pending()).find(({ principal }) => principal.id === 'dan')?.id
  expect(second).toBeDefined()
  expect(second).not.toBe(first)
})
