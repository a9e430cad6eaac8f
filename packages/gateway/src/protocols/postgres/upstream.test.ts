import { once } from 'node:events'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TargetPostgres } from '../../../../../test/harness/postgres.ts'
import { SallyportError } from '../../access/errors.ts'
import { Secret } from '../../access/secret.ts'
import { LEASE, startLeasedTarget, targetAt } from './lease.fixture.ts'
import { connectUpstream } from './upstream.ts'
import { bytes } from './wire.fixture.ts'

const never = new AbortController().signal

let server: TargetPostgres
beforeAll(async () => {
  ;({ server } = await startLeasedTarget({ tls: true }))
})
afterAll(async () => {
  await server.stop()
})

describe('a connection to a target', () => {
  it.each(['disable', 'require', 'verify-full'] as const)('logs in with tls: %s', async (mode) => {
    await using upstream = await connectUpstream(targetAt(server.port, mode, server.ca), LEASE, never)
    expect(upstream.alive).toBe(true)
    expect(upstream.parameters.get('client_encoding')).toBe('UTF8')
    expect(upstream.parameters.get('standard_conforming_strings')).toBe('on')
  })

  it('is refused when its certificate is signed by nobody who is trusted', async () => {
    await expect(connectUpstream(targetAt(server.port, 'verify-full'), LEASE, never)).rejects.toThrow(
      expect.objectContaining({ code: 'TARGET_UNREACHABLE', hint: expect.stringContaining('certificate') }),
    )
  })

  it('is refused with the wrong secret', async () => {
    const wrong = { ...LEASE, secret: new Secret('wrong') }
    await expect(connectUpstream(targetAt(server.port, 'disable'), wrong, never)).rejects.toThrow(
      'password authentication failed',
    )
  })

  it('starts read-only where the credential is', async () => {
    await using upstream = await connectUpstream(
      targetAt(server.port, 'disable'),
      { ...LEASE, readOnly: true },
      never,
    )
    expect(upstream.parameters.get('default_transaction_read_only')).toBe('on')
  })

  it.each(['trust', 'password', 'md5'])('is refused by a target whose roles log in by %s', async (method) => {
    const file = join(server.data, 'pg_hba.conf')
    const before = await readFile(file, 'utf8')
    const admin = await server.client()
    try {
      await writeFile(file, `host all lease 127.0.0.1/32 ${method}\n${before}`)
      await admin.query('SELECT pg_reload_conf()')
      if (method === 'md5') {
        // With a SCRAM verifier stored, "md5" means SCRAM all the same.
        await admin.query(
          `SET password_encryption = md5; SET client_min_messages = error; ALTER ROLE lease PASSWORD 'a temporary secret'`,
        )
      }
      await expect
        .poll(
          async () => {
            const attempt = connectUpstream(targetAt(server.port, 'disable'), LEASE, never)
            return await attempt.then(
              async (upstream) => {
                await upstream[Symbol.asyncDispose]()
                return 'still the old rules'
              },
              (error: SallyportError) => `${error.code} ${error.hint}`,
            )
          },
          { timeout: 20_000 },
        )
        .toMatch(/^TARGET_UNREACHABLE .*scram-sha-256/)
    } finally {
      await writeFile(file, before)
      await appendFile(file, '')
      await admin.query(
        `SET password_encryption = 'scram-sha-256'; ALTER ROLE lease PASSWORD 'a temporary secret'`,
      )
      await admin.query('SELECT pg_reload_conf()')
    }
  })
})

describe('a target that is none', () => {
  let fake: Server | undefined
  const sockets = new Set<Socket>()
  afterEach(() => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    fake?.close()
  })

  async function answering(...answers: readonly Buffer[]): Promise<number> {
    fake = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      const left = [...answers]
      socket.on('data', () => {
        const answer = left.shift()
        if (answer === undefined) socket.resetAndDestroy()
        else socket.write(answer)
      })
    })
    fake.listen(0, '127.0.0.1')
    await once(fake, 'listening')
    return (fake.address() as AddressInfo).port
  }

  const sasl = bytes('52 00000017 0000000a "SCRAM-SHA-256" 00 00')
  it.each([
    ['resets the connection', []],
    ['speaks something else', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')]],
    ['says that all is well without a proof', [bytes('52 00000008 00000000')]],
    ['is ready without saying that all is well', [bytes('5a 00000005 "I"')]],
    ['asks for the password itself', [bytes('52 00000008 00000003')]],
    ['asks for its MD5', [bytes('52 0000000c 00000005 01020304')]],
    ['offers another mechanism', [bytes('52 0000000f 0000000a "OTHER" 00 00')]],
    ['answers SCRAM with nonsense', [sasl, bytes('52 0000000c 0000000b "r=x,"')]],
    ['has an unusable key', [bytes('4b 00000006 0102')]],
    ['sends an impossible length', [bytes('52 00000001')]],
    ['sends an endless message', [bytes('4e 7fffffff')]],
  ])('is reported when it %s', async (_, answers) => {
    const port = await answering(...answers)
    await expect(connectUpstream(targetAt(port, 'disable'), LEASE, never)).rejects.toBeInstanceOf(
      SallyportError,
    )
  })

  it('is reported when it never stops sending parameters', async () => {
    const value = 'x'.repeat(1000)
    const parameters = Array.from({ length: 100 }, (_, n) => {
      const body = Buffer.from(`p${n}\0${value}\0`)
      const head = Buffer.from('S....')
      head.writeInt32BE(body.length + 4, 1)
      return Buffer.concat([head, body])
    })
    const port = await answering(Buffer.concat(parameters))
    await expect(
      connectUpstream(targetAt(port, 'disable'), LEASE, AbortSignal.timeout(5000)),
    ).rejects.toThrow(expect.objectContaining({ code: 'WIRE_TOO_LARGE' }))
  })

  it.each(['require', 'verify-full'] as const)('is reported when it offers no TLS (%s)', async (mode) => {
    const port = await answering(Buffer.from('N'))
    await expect(connectUpstream(targetAt(port, mode), LEASE, never)).rejects.toThrow(
      'the server does not offer it',
    )
  })

  it('is reported when nobody listens', async () => {
    const port = await answering()
    fake?.close()
    await expect(connectUpstream(targetAt(port, 'disable'), LEASE, never)).rejects.toThrow(
      'connection refused',
    )
  })

  it.each(['disable', 'require'] as const)(
    'is left when it says nothing until the time is over (%s)',
    async (mode) => {
      const silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
      fake = silent.listen(0, '127.0.0.1')
      await once(silent, 'listening')
      const controller = new AbortController()
      const connecting = connectUpstream(
        targetAt((silent.address() as AddressInfo).port, mode),
        LEASE,
        controller.signal,
      )
      const accepted = (await once(silent, 'connection')) as [Socket]
      await once(accepted[0], 'data')
      controller.abort(new SallyportError('WIRE_TIMEOUT', 'too slow'))
      await expect(connecting).rejects.toThrow('too slow')
      await once(accepted[0], 'close')
    },
  )
})
