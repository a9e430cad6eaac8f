import { expect, test } from 'vitest'
import { startTestGateway } from './gateway.ts'
import { startGatewayProcess } from './gateway-process.ts'
import { startTestWorld } from './test-world.ts'

test('a gateway for tests lets a reader read, and leaves no credential on the target', async () => {
  await using world = await startTestGateway()
  const client = await world.access.connect('ana')
  expect((await client.query('SELECT count(*)::int AS n FROM customers')).rows).toEqual([{ n: 1000 }])
  await client.end()
  await world.gateway.close()
  expect(await world.roles('login')).toEqual([])
  expect(world.errors).toEqual([])
})

test('and so does one in a process of its own', async () => {
  await using world = await startTestWorld()
  await using gateway = await startGatewayProcess(world)
  const client = await gateway.access.connect('ana')
  expect((await client.query('SELECT count(*)::int AS n FROM customers')).rows).toEqual([{ n: 1000 }])
})
