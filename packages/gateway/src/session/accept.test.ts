import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { startTestGateway } from '../../../../test/harness/gateway.ts'

test('those who open connections and say nothing do not keep out those who say who they are', async () => {
  await using world = await startTestGateway({ settings: { limits: { connections: 4 } } })
  const session = await world.access.connect('ana')
  const silent: Socket[] = []
  for (let n = 0; n < 8; n++) {
    const socket = connect({ ...world.access.address })
    silent.push(socket.on('error', () => undefined))
    await once(socket, 'connect')
  }
  const another = await world.access.connect('omar')
  expect((await another.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  expect((await session.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }])
  for (const socket of silent) socket.destroy()
})

test('where all places are sessions, nobody else is let in', async () => {
  await using world = await startTestGateway({ settings: { limits: { connections: 2 } } })
  const sessions = [await world.access.connect('ana'), await world.access.connect('omar')]
  await expect(world.access.connect('ana')).rejects.toThrow()
  for (const session of sessions) expect((await session.query('SELECT 1')).rowCount).toBe(1)
})
