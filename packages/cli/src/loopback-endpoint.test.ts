import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { dialGateway, isLoopback } from './dial-gateway.ts'
import { openLoopbackEndpoint } from './loopback-endpoint.ts'

test('bytes go through both ways, a large answer whole', async () => {
  const answer = Buffer.alloc(3_000_000, 7)
  const server = createServer((socket) => socket.once('data', () => socket.end(answer))).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const errors: Error[] = []
  await using endpoint = await openLoopbackEndpoint(
    () => dialGateway({ host: '127.0.0.1', port }),
    (error) => errors.push(error),
  )
  const client = connect(endpoint.port, endpoint.host)
  client.write('?')
  const chunks: Buffer[] = []
  for await (const chunk of client) chunks.push(chunk as Buffer)
  expect(Buffer.concat(chunks).equals(answer)).toBe(true)
  expect(errors).toEqual([])
  server.close()
})

test('closing cuts the connections that there are, and takes no more', async () => {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const endpoint = await openLoopbackEndpoint(
    () => dialGateway({ host: '127.0.0.1', port }),
    () => {},
  )
  const client = connect(endpoint.port, endpoint.host)
  client.write('?')
  await once(client, 'data')
  const cut = once(client, 'close')
  await endpoint.close()
  await cut
  const [error] = (await once(connect(endpoint.port, endpoint.host), 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNREFUSED')
  server.close()
})

test('when the gateway cannot be reached, the client is hung up on and the reason is told', async () => {
  const told: string[] = []
  await using endpoint = await openLoopbackEndpoint(
    () => dialGateway({ host: '127.0.0.1', port: 1 }),
    (error) => told.push((error as NodeJS.ErrnoException).code ?? ''),
  )
  await once(connect(endpoint.port, endpoint.host).resume(), 'close')
  expect(told).toEqual(['ECONNREFUSED'])
})

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['127.0.0.1.example.com', false],
  ['localhost.example.com', false],
  ['10.0.0.1', false],
  ['0.0.0.0', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})
