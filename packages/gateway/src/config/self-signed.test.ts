import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { makeSelfSigned } from './self-signed.ts'

test.each(['localhost', 'db.example.com', '127.0.0.1', '::1', '2001:db8::7', '::ffff:10.1.2.3'])(
  'is good for %s',
  (name) => {
    const certificate = new X509Certificate(makeSelfSigned(['gateway.internal', name]).cert)
    const matched =
      name.includes(':') || /^\d/.test(name) ? certificate.checkIP(name) : certificate.checkHost(name)
    expect(matched).toBe(name)
    expect(certificate.checkHost('elsewhere')).toBeUndefined()
  },
)

test('is signed with its own key and no other', () => {
  const made = makeSelfSigned(['localhost'])
  const certificate = new X509Certificate(made.cert)
  expect(certificate.checkPrivateKey(createPrivateKey(made.key.reveal()))).toBe(true)
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  expect(certificate.verify(new X509Certificate(makeSelfSigned(['localhost']).cert).publicKey)).toBe(false)
})

test.each([
  ['2026-01-01T00:00:00Z', 2036],
  ['2045-01-01T00:00:00Z', 2055],
])('made at %s it holds for ten years', (now, until) => {
  const certificate = new X509Certificate(makeSelfSigned(['localhost'], new Date(now)).cert)
  expect(certificate.validFromDate.getTime()).toBe(Date.parse(now) - 3_600_000)
  expect(new Date(certificate.validToDate).getUTCFullYear()).toBe(until)
})

test('a TLS client that is given it as its CA accepts the server', async () => {
  const made = makeSelfSigned(['localhost', '127.0.0.1'])
  const server = createServer({ cert: made.cert, key: made.key.reveal() }, (socket) => socket.end('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const client = connect({ port: port ?? 0, host: '127.0.0.1', ca: made.cert })
  expect(String(await once(client, 'data'))).toBe('hello')
  expect(client.authorized).toBe(true)
  client.destroy()
  server.close()
})
