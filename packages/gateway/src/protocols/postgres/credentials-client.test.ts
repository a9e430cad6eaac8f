import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { Secret } from '../../access/secret.ts'
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

/** Answers the first packet, and keeps all that it is told. */
async function answering(
  answer: Buffer,
): Promise<{ readonly connections: IssuerConnections; readonly told: () => string }> {
  let told = ''
  impostor = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.once('data', () => socket.write(answer))
    socket.on('data', (chunk) => (told += chunk.toString('latin1')))
  })
  impostor.listen(0, '127.0.0.1')
  await once(impostor, 'listening')
  const target = targetAt((impostor.address() as AddressInfo).port, 'disable')
  const credentials = { ...target.credentials, username: 'issuer', password: new Secret(PASSWORD) }
  return { connections: new IssuerConnections({ ...target, credentials }), told: () => told }
}

it.each([
  ['lets the account in without any proof', bytes(`${AUTHENTICATION_OK} ${READY}`), 'without a proof'],
  ['is ready without so much as saying so', bytes(READY), 'without a proof'],
  ['claims a proof that was never begun', bytes(`52 00000008 0000000c ${AUTHENTICATION_OK} ${READY}`), ''],
  ['asks for the password itself', bytes('52 00000008 00000003'), 'as it is'],
  ['asks for its MD5', bytes('52 0000000c 00000005 01020304'), 'as an MD5 hash'],
  ['offers no mechanism that is known', bytes('52 0000000f 0000000a "OTHER" 00 00'), ''],
])('a server that %s is told nothing, and hung up on', async (_, answer, why) => {
  const { connections, told } = await answering(answer)
  const query = connections.query("CREATE ROLE r PASSWORD 'a verifier'", AbortSignal.timeout(10_000))
  await expect(query).rejects.toThrow(why)
  await Promise.all([...sockets].map(async (socket) => socket.closed || (await once(socket, 'close'))))
  expect(told()).not.toMatch(/verifier|password of the issuer|md5/)
})
