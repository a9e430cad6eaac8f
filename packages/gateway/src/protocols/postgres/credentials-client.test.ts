import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import type { SallyportError } from '../../access/errors.ts'
import { Secret } from '../../access/secret.ts'
import { makeSelfSigned } from '../../config/self-signed.ts'
import { IssuerConnections } from './credentials-connections.ts'
import { targetAt } from './lease.fixture.ts'
import { bytes } from './wire.fixture.ts'

const PASSWORD = 'the password of the issuer'
const AUTHENTICATION_OK = '52 00000008 00000000'
const READY = '5a 00000005 "I"'

let impostor: Server | undefined
const sockets = new Set<Socket>()
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  impostor?.close()
})

const CERTIFICATE = makeSelfSigned(['127.0.0.1'])

/** Answers the first packet, after TLS where that is asked for, and keeps all that it is told. */
async function answering(
  answer: Buffer,
  mode: 'disable' | 'verify-full',
): Promise<{ readonly connections: IssuerConnections; readonly told: () => string }> {
  let told = ''
  const hear = (socket: Socket): void => {
    socket.once('data', () => socket.write(answer))
    socket.on('data', (chunk) => (told += chunk.toString('latin1')))
  }
  impostor = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    if (mode === 'disable') return hear(socket)
    socket.once('data', () => {
      socket.write('S')
      const secureContext = createSecureContext({
        cert: CERTIFICATE.cert,
        key: CERTIFICATE.key.reveal(),
      })
      hear(new TLSSocket(socket, { isServer: true, secureContext }).on('error', () => undefined))
    })
  })
  impostor.listen(0, '127.0.0.1')
  await once(impostor, 'listening')
  const target = targetAt((impostor.address() as AddressInfo).port, mode, CERTIFICATE.cert)
  const credentials = { ...target.credentials, username: 'issuer', password: new Secret(PASSWORD) }
  return { connections: new IssuerConnections({ ...target, credentials }), told: () => told }
}

describe.each(['disable', 'verify-full'] as const)('with tls: %s', (mode) => {
  it.each([
    ['lets the account in without any proof', bytes(`${AUTHENTICATION_OK} ${READY}`), 'without a proof'],
    ['is ready without so much as saying so', bytes(READY), 'without a proof'],
    ['claims a proof that was never begun', bytes(`52 00000008 0000000c ${AUTHENTICATION_OK} ${READY}`), ''],
    ['asks for the password itself', bytes('52 00000008 00000003'), 'as it is'],
    ['asks for its MD5', bytes('52 0000000c 00000005 01020304'), 'as an MD5 hash'],
    ['offers no mechanism that is known', bytes('52 0000000f 0000000a "OTHER" 00 00'), ''],
  ])('a server that %s is told nothing, and hung up on', async (_, answer, why) => {
    const { connections, told } = await answering(answer, mode)
    const query = connections.query("CREATE ROLE r PASSWORD 'a verifier'", AbortSignal.timeout(10_000))
    await expect(query).rejects.toThrow(why)
    await Promise.all([...sockets].map(async (socket) => socket.closed || (await once(socket, 'close'))))
    expect(told()).toContain('sallyport-issuer')
    expect(told()).not.toMatch(/verifier|password of the issuer|md5/)
  })

  it.each([
    [' itself', bytes('52 00000008 00000003')],
    ["'s MD5", bytes('52 0000000c 00000005 01020304')],
  ])('whoever runs a server that asks for the password%s is told to use SCRAM', async (_, answer) => {
    const { connections } = await answering(answer, mode)
    const query = connections.query('SELECT 1', AbortSignal.timeout(10_000))
    const error = await query.catch((thrown: SallyportError) => thrown)
    expect(error).toMatchObject({
      code: 'TARGET_ISSUER_FAILED',
      hint: expect.stringContaining('scram-sha-256'),
    })
  })
})
