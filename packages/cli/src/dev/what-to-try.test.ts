import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { isFree } from './free-port.ts'
import { whatToTry } from './what-to-try.ts'

const dev = {
  postgres: { host: '127.0.0.1', port: 7432 },
  folder: "/tmp/it's mine",
  sallyport: ['/opt/sallyport.js'],
  ticket: { secret: 'spt_1', target: 'shop', persona: 'ana' },
}

test('the lines to try work as they are, from any folder', () => {
  const text = whatToTry({ ...dev, url: 'http://127.0.0.1:7400' })
  expect(text).toContain('  PGPASSWORD=spt_1 psql -h 127.0.0.1 -p 7432 -U ana shop\n')
  expect(text).toContain(`$(/opt/sallyport.js dev token ana --dir '/tmp/it'\\''s mine')`)
  expect(text).toContain('/opt/sallyport.js query shop "SELECT')
})

test('and also when the gateway is not where it is looked for', () => {
  const text = whatToTry({ ...dev, url: 'http://127.0.0.1:8000' })
  expect(text).toContain('/opt/sallyport.js query --gateway http://127.0.0.1:8000 shop "SELECT')
})

test('a port is free when nothing listens on it', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await isFree(port)).toBe(false)
  server.close()
  await once(server, 'close')
  expect(await isFree(port)).toBe(true)
})
