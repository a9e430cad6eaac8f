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

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway({ policies: POLICIES })
})
afterAll(() => world[Symbol.asyncDispose]())

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
  const [{ id = '' } = {}, ...others] = await pending()
  expect(others).toEqual([])
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
