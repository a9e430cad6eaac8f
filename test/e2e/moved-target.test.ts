import { expect, test } from 'vitest'
import { startTestGateway } from '../harness/gateway.ts'
import { until } from '../harness/until.ts'

// Nothing listens on port 1: what is left at the old place cannot be reached by way of the new one.
test.each([
  ['moved', (targets: string) => targets.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:1')],
  ['removed', () => ''],
])('a session ends, and its role with it, when its target is %s under it', async (how, change) => {
  await using world = await startTestGateway()
  const client = await world.access.connect('ana', { groups: ['readers', 'callers'] })
  const sleeping = client.query('SELECT pg_sleep(602)').catch((error: unknown) => error)
  await world.running('pg_sleep(602)')
  const api = await world.access.api('eve', { groups: ['admins'] })
  const { version, files } = await api.resources.current()
  const changed = files.map(({ path, text }) => ({
    path,
    text: path === 'targets.yaml' ? change(text) : text,
  }))
  await api.resources.apply({ expected: version, files: changed })
  expect(await sleeping).toMatchObject({ code: '57P01' })
  await until(`nothing is left where it was before it was ${how}`, async () => {
    return (await world.roles('login')).length === 0
  })
  const { leases } = await api.leases.list({})
  expect(leases.filter(({ state }) => state !== 'revoked')).toEqual([])
})
