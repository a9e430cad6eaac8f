import { once } from 'node:events'
import { connect as dial, createServer, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { TargetPostgres } from '../../../../../test/harness/postgres.ts'
import type { Target } from '../../access/model.ts'
import { RawClient, TestGateway } from './gateway.fixture.ts'
import { gatewayCertificate, startLeasedTarget } from './lease.fixture.ts'
import { decodeErrorFields, encodeCancelRequest, SSL_REQUEST_PACKET } from './messages.ts'
import { StatementReader } from './parser.ts'
import { bytes, client as wire, type Frame, frames, startup } from './wire.fixture.ts'

const WAIT = { timeout: 20_000, interval: 20 }

let server: TargetPostgres
let target: Target
let gateway: TestGateway
let admin: pg.Client
let reader: StatementReader
const certificate = gatewayCertificate()
beforeAll(async () => {
  reader = new StatementReader({ threads: 1 })
  ;({ server, target } = await startLeasedTarget())
  admin = await server.client()
})
afterAll(async () => {
  await reader.close()
  await server.stop()
})
beforeEach(async () => {
  gateway = await TestGateway.start(target, certificate, reader)
})
afterEach(async () => {
  await gateway[Symbol.asyncDispose]()
})

async function connections(): Promise<number> {
  const { rows } = await admin.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'lease'`,
  )
  return rows[0]?.n ?? -1
}

function errorOf(messages: readonly Frame[]): ReadonlyMap<string, string> {
  const error = messages.find(({ type }) => type === 'E')
  return error === undefined ? new Map() : decodeErrorFields(error.body, 0, error.body.length)
}

const types = (messages: readonly Frame[]): string => messages.map(({ type }) => type).join('')

async function failure(running: Promise<unknown>): Promise<pg.DatabaseError> {
  const error: unknown = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof pg.DatabaseError)) throw new Error(`no answer of the server's: ${String(error)}`)
  return error
}

describe('the start of a connection', () => {
  it('brings protocol 3.2 down to 3.0, and says which options are not known', async () => {
    using client = await RawClient.dial(gateway.port)
    client.send(startup({ user: 'a', '_pq_.wish': '1' }, 0x00030002))
    const [negotiation, request] = await client.until('R')
    expect(negotiation?.type).toBe('v')
    expect(negotiation?.body.toString('hex')).toBe(bytes('00030000 00000001 "_pq_.wish" 00').toString('hex'))
    expect(request?.body.readInt32BE(0)).toBe(3)
  })

  it('has no negotiation at protocol 3.0', async () => {
    using client = await RawClient.dial(gateway.port)
    client.send(startup({ user: 'a' }))
    expect(types(await client.until('R'))).toBe('R')
  })

  it('offers no GSSAPI encryption, and TLS after that', async () => {
    using client = await RawClient.dial(gateway.port)
    client.send(bytes('00000008 04d21630'))
    expect((await client.bytes(1)).toString()).toBe('N')
    client.send(SSL_REQUEST_PACKET)
    expect((await client.bytes(1)).toString()).toBe('S')
  })

  it('is encrypted where the client asks for it', async () => {
    const client = await gateway.client({ ssl: { rejectUnauthorized: false } })
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
    await client.query(`SELECT repeat('x', 300000)`)
    expect((await failure(client.query('DROP TABLE marks'))).code).toBe('42501')
  })

  it('speaks TLS as PostgreSQL names it (ALPN)', async () => {
    const socket = dial(gateway.port, '127.0.0.1')
    socket.write(SSL_REQUEST_PACKET)
    await once(socket, 'readable')
    expect(String(socket.read())).toBe('S')
    const secured = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ['postgresql'] })
    await once(secured, 'secureConnect')
    expect(secured.alpnProtocol).toBe('postgresql')
    secured.destroy()
  })

  it('ends where bytes were put in front of the TLS handshake', async () => {
    using client = await RawClient.dial(gateway.port)
    client.send(SSL_REQUEST_PACKET, startup({ user: 'mallory' }))
    const answer = await client.until('nothing')
    expect(errorOf(answer).get('M')).toContain('before the TLS handshake')
    expect(answer[0]?.type).toBe('E')
  })

  it.each([
    ['replication', { replication: 'database' }, '0A000'],
    ['physical replication', { replication: 'true' }, '0A000'],
    ['options', { options: '-c role=postgres' }, '0A000'],
    ['a role', { role: 'postgres' }, '0A000'],
    ['another case of it', { ROLE: 'postgres' }, '0A000'],
    ['a session authorization', { session_authorization: 'postgres' }, '0A000'],
    ['a search path', { search_path: 'evil' }, '0A000'],
    ['a setting of which statements depend', { standard_conforming_strings: 'off' }, '0A000'],
    ['an encoding', { client_encoding: 'SJIS' }, '0A000'],
    ['no encoding at all', { client_encoding: 'SQL_ASCII' }, '0A000'],
    ['an endless value', { application_name: 'x'.repeat(300) }, '0A000'],
  ])('is refused with %s', async (_, parameters, sqlstate) => {
    using client = await RawClient.dial(gateway.port)
    client.send(startup({ user: 'a', database: 'shop', ...parameters }))
    const answer = await client.until('nothing')
    expect(types(answer)).toBe('E')
    expect(errorOf(answer).get('C')).toBe(sqlstate)
    expect(gateway.sessions).toHaveLength(0)
  })

  it.each([
    ['protocol 2', startup({ user: 'a' }, 0x00020000), '0A000'],
    ['a packet of the wrong shape', bytes('00000009 00030000 01'), '08P01'],
    ['a packet that is too long', bytes('00002711 00030000'), '08P01'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), '08P01'],
  ])('is refused with %s', async (_, packet, sqlstate) => {
    using client = await RawClient.dial(gateway.port)
    client.send(packet)
    expect(errorOf(await client.until('nothing')).get('C')).toBe(sqlstate)
  })

  it('applies the settings that a client may choose', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn({
      client_encoding: "'utf-8'",
      TimeZone: 'Asia/Tokyo',
      application_name: "it's me",
      options: '',
    })
    client.send(wire.query('SHOW TimeZone; SHOW application_name'))
    const rows = (await client.until('Z')).filter(({ type }) => type === 'D')
    expect(rows.map(({ body }) => body.toString('utf8', 6))).toEqual(['Asia/Tokyo', "it's me"])
  })

  it('says so when the target does not take such a setting', async () => {
    using client = await RawClient.dial(gateway.port)
    client.send(startup({ user: 'any', TimeZone: 'Nowhere/Land' }))
    await client.until('R')
    client.send(Buffer.from('p\0\0\0\x0bticket\0', 'latin1'))
    expect(errorOf(await client.until('nothing')).get('M')).toContain('Nowhere/Land')
    await expect.poll(connections, WAIT).toBe(0)
  })

  it('asks for no secret that would come unencrypted over a network', async () => {
    const accepting = Promise.withResolvers<Socket>()
    const far = createServer((socket) => accepting.resolve(socket)).listen(0, '127.0.0.1')
    await once(far, 'listening')
    const address = far.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    using client = await RawClient.dial(address.port)
    const socket = await accepting.promise
    far.close()
    Object.defineProperty(socket, 'remoteAddress', { value: '192.0.2.7' })
    gateway.take(socket)
    client.send(startup({ user: 'a' }))
    const answer = await client.until('nothing')
    expect(types(answer)).toBe('E')
    expect(errorOf(answer).get('H')).toContain('sslmode=require')
  })
})

describe('a CancelRequest', () => {
  async function isSleeping(): Promise<boolean> {
    const { rows } = await admin.query(
      `SELECT 1 FROM pg_stat_activity WHERE usename = 'lease' AND state = 'active' AND query LIKE '%pg_sleep%'`,
    )
    return rows.length === 1
  }

  async function request(key: Buffer): Promise<void> {
    using canceller = await RawClient.dial(gateway.port)
    canceller.send(encodeCancelRequest(key.readInt32BE(0), key.subarray(4)))
    expect(await canceller.until('nothing')).toEqual([])
  }

  it('ends the statement of its own session, and of no other', async () => {
    using client = await RawClient.dial(gateway.port)
    using other = await RawClient.dial(gateway.port)
    const key = await client.logIn()
    const otherKey = await other.logIn()
    client.send(wire.query('SELECT pg_sleep(600)'))
    await expect.poll(isSleeping, WAIT).toBe(true)

    const wrong = Buffer.from(key)
    wrong.writeUInt8(wrong.readUInt8(7) ^ 1, 7)
    await request(wrong)
    await request(otherKey)
    const real = await admin.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE usename = 'lease'`,
    )
    for (const { pid } of real.rows) {
      const guess = Buffer.from(key)
      guess.writeInt32BE(pid, 0)
      await request(guess)
    }
    expect(await isSleeping()).toBe(true)

    await request(key)
    const answer = await client.until('Z')
    expect(errorOf(answer).get('C')).toBe('57014')
    client.send(wire.query('SELECT 1'))
    expect(types(await client.until('Z'))).toBe('TDCZ')
  })

  it('does nothing once its session is over', async () => {
    using client = await RawClient.dial(gateway.port)
    const key = await client.logIn()
    client.send(wire.terminate)
    await client.until('nothing')
    await gateway.session.outcome
    await request(key)
    expect(gateway.refused).toEqual([])
  })
})

describe('a denial', () => {
  it('is an ErrorResponse with the policy, a hint and the decision', async () => {
    const client = await gateway.client()
    const error = await failure(client.query('DROP TABLE marks'))
    expect(error).toMatchObject({
      severity: 'ERROR',
      code: '42501',
      message: 'denied by policy: drop is forbidden',
      hint: 'ask a dba',
      where: 'Sallyport ACCESS_POLICY_DENIED, policy no-harm, decision ses_0.1',
    })
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  })

  it('fails the transaction it is in, which can be rolled back', async () => {
    const client = await gateway.client()
    await client.query('BEGIN')
    await client.query('INSERT INTO marks VALUES (7)')
    expect((await failure(client.query('DROP TABLE marks'))).code).toBe('42501')
    expect((await failure(client.query('SELECT 1'))).code).toBe('25P02')
    await client.query('ROLLBACK')
    expect((await client.query('SELECT * FROM marks WHERE n = 7')).rows).toEqual([])
  })

  it('of a prepared statement too', async () => {
    const client = await gateway.client()
    expect((await failure(client.query('DELETE FROM marks WHERE n = $1', [1]))).code).toBe('42501')
    expect((await client.query('SELECT $1::int AS n', [1])).rows).toEqual([{ n: 1 }])
  })

  it('ends a transaction when policies change under a prepared statement', async () => {
    const client = await gateway.client()
    const insert = { name: 'insert', text: 'INSERT INTO marks VALUES ($1)', values: [8] }
    await client.query(insert)
    gateway.session.guard.deny('insert')
    expect((await failure(client.query(insert))).code).toBe('42501')
    gateway.session.guard.denied.delete('insert')
    gateway.session.guard.deny()
    await client.query(insert)
    expect((await admin.query('SELECT count(*)::int AS n FROM marks WHERE n = 8')).rows).toEqual([{ n: 2 }])
  })

  /** The answers of PostgreSQL itself when a statement fails for lack of privilege, and ours for the same messages. */
  it.each<[string, (bad: string) => readonly Buffer[]]>([
    ['simple queries', (bad) => [wire.query('SELECT 1'), wire.query(bad), wire.query('SELECT 2'), wire.sync]],
    [
      'one batch',
      (bad) => [
        wire.parse('', 'SELECT 1'),
        wire.bind('', ''),
        wire.execute(''),
        wire.parse('', bad),
        wire.bind('', ''),
        wire.describe('P', ''),
        wire.execute(''),
        wire.parse('', 'SELECT 2'),
        wire.bind('', ''),
        wire.execute(''),
        wire.sync,
      ],
    ],
    [
      'a batch for each',
      (bad) =>
        ['SELECT 1', bad, 'SELECT 2'].flatMap((sql) => [
          wire.parse('', sql),
          wire.bind('', ''),
          wire.describe('P', ''),
          wire.execute(''),
          wire.sync,
        ]),
    ],
    [
      'a transaction',
      (bad) => [
        wire.query('BEGIN'),
        wire.query(bad),
        wire.query('SELECT 1'),
        wire.query('ROLLBACK'),
        wire.sync,
      ],
    ],
    [
      'both protocols mixed',
      (bad) => [
        wire.query('BEGIN'),
        wire.parse('a', 'SELECT 1'),
        wire.bind('', 'a'),
        wire.execute(''),
        wire.parse('b', bad),
        wire.query('SELECT 3'),
        wire.sync,
        wire.query('SELECT 4'),
        wire.query('ROLLBACK'),
        wire.sync,
      ],
    ],
    [
      'a query of several statements',
      (bad) => [wire.query(`SELECT 1; ${bad}`), wire.query('SELECT 2'), wire.sync],
    ],
  ])('in %s leaves the answers that PostgreSQL itself would give', async (_, script) => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    const statements = script('DROP TABLE marks')
    client.send(...statements, wire.terminate)
    const ours = await client.until('nothing')

    // Failing there where ours is denied.
    using direct = await directClient()
    direct.send(...script('SELCT'), wire.terminate)
    const theirs = await direct.until('nothing')
    expect(types(ours)).toBe(types(theirs))
    expect(statusOf(ours)).toBe(statusOf(theirs))
    expect(errorOf(ours).get('C')).toBe('42501')
  })
})

/** Speaks to the target itself; `pg` has logged in there. */
async function directClient(): Promise<RawClient> {
  const { connection } = (await server.client()) as unknown as { connection: { stream: Socket } }
  connection.stream.removeAllListeners('data')
  return new RawClient(connection.stream)
}

function statusOf(messages: readonly Frame[]): string {
  return messages.flatMap(({ type, body }) => (type === 'Z' ? [body.toString()] : [])).join('')
}

describe('a session', () => {
  it('runs a portal in pieces', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    client.send(wire.query('BEGIN'))
    await client.until('Z')
    client.send(
      wire.parse('', 'SELECT n FROM generate_series(1, 10) n'),
      wire.bind('p', ''),
      wire.execute('p', 4),
    )
    client.send(wire.flush)
    expect(types(await client.until('s'))).toBe('12DDDDs')
    client.send(wire.execute('p', 4), wire.sync)
    expect(types(await client.until('Z'))).toBe('DDDDsZ')
    client.send(wire.execute('p', 4), wire.close('P', 'p'), wire.sync)
    expect(types(await client.until('Z'))).toBe('DDC3Z')
    const runs = gateway.session.guard.recorder.calls.filter(([kind]) => kind === 'execute')
    expect(runs).toHaveLength(3)
  })

  it('passes notifications and notices on', async () => {
    const client = await gateway.client()
    const notices: (string | undefined)[] = []
    client.on('notice', (notice) => notices.push(notice.message))
    await client.query('LISTEN news')
    const heard = once(client, 'notification') as Promise<[pg.Notification]>
    await admin.query(`NOTIFY news, 'hello'`)
    expect((await heard)[0]).toMatchObject({ channel: 'news', payload: 'hello' })
    await client.query('CREATE TABLE IF NOT EXISTS marks (n int)')
    expect(notices).toEqual(['relation "marks" already exists, skipping'])
  })

  it('shows the errors of the target as they are, in and out of transactions', async () => {
    const client = await gateway.client()
    expect(await failure(client.query('SELECT 1/0'))).toMatchObject({
      code: '22012',
      message: 'division by zero',
    })
    await client.query('BEGIN')
    await client.query('SAVEPOINT s')
    expect((await failure(client.query('SELECT $1::int / 0', [1]))).code).toBe('22012')
    expect((await failure(client.query('SELECT 1'))).code).toBe('25P02')
    await client.query('ROLLBACK TO s')
    expect((await client.query('SELECT 2 AS n')).rows).toEqual([{ n: 2 }])
    await client.query('COMMIT')
  })

  it('takes COPY data in and gives it out', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    client.send(wire.query('CREATE TABLE copied (line text)'))
    await client.until('Z')
    client.send(wire.query('COPY copied FROM STDIN'))
    await client.until('G')
    const line = `${'x'.repeat(99)}\n`
    for (let n = 0; n < 50; n++) client.send(wire.copyData(line.repeat(2000)))
    client.send(wire.copyDone)
    expect((await client.until('Z')).find(({ type }) => type === 'C')?.body.toString()).toBe('COPY 100000\0')
    client.send(wire.query('COPY copied TO STDOUT'))
    const out = (await client.until('Z')).filter(({ type }) => type === 'd')
    expect(Buffer.concat(out.map(({ body }) => body)).equals(Buffer.from(line.repeat(100_000)))).toBe(true)
  })

  it('survives COPY data that the target does not take, sent with Sync ahead', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    client.send(wire.parse('', 'COPY marks FROM STDIN'), wire.bind('', ''), wire.execute(''), wire.sync)
    await client.until('G')
    client.send(wire.copyData('not a number\n'), wire.copyDone, wire.sync)
    const answer = await client.until('Z')
    expect(errorOf(answer).get('C')).toBe('22P02')
    client.send(wire.query('SELECT 1'))
    expect(types(await client.until('Z'))).toBe('TDCZ')
  })

  it('gives an in-process client bytes that stay as they are', async () => {
    const [near, far] = duplexPair()
    gateway.take(near)
    const client = new RawClient(far)
    await client.logIn()
    // A reader may keep what it was given for as long as it likes.
    const kept: Buffer[] = []
    far.removeAllListeners('data').on('data', (chunk: Buffer) => kept.push(chunk))
    far.write(wire.query(`SELECT n, repeat(chr(65 + n % 26), n % 1000) FROM generate_series(1, 3000) n`))
    far.write(wire.terminate)
    await once(far, 'end')
    const rows = frames(Buffer.concat(kept)).filter(({ type }) => type === 'D')
    expect(rows).toHaveLength(3000)
    for (const [index, { body }] of rows.entries()) {
      const n = index + 1
      const value = body.subarray(2 + 4 + String(n).length + 4)
      expect(value.toString()).toBe(String.fromCharCode(65 + (n % 26)).repeat(n % 1000))
    }
  })

  it('says when the target died, and is over', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    client.send(wire.query('SELECT pg_sleep(600)'))
    const kill = async (): Promise<number> =>
      (
        await admin.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lease' AND state = 'active'`,
        )
      ).rows.length
    await expect.poll(kill, WAIT).toBe(1)
    expect(errorOf(await client.until('nothing')).get('C')).toBe('57P01')
    expect(await gateway.session.outcome).toBe('target')
  })

  it('ends with the setting under which statements were read', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    client.send(wire.query(`SET client_encoding TO 'LATIN1'`))
    const answer = await client.until('Z')
    expect(errorOf(answer).get('C')).toMatch(/42501|57P01/)
  })

  it('keeps memory flat while its client does not read a big result', async () => {
    const client = dial(gateway.port, '127.0.0.1')
    client.on('error', () => undefined)
    const raw = new RawClient(client)
    await raw.logIn()
    client.removeAllListeners('data')
    client.pause()
    const before = process.memoryUsage()
    client.write(wire.query(`SELECT repeat('x', 100000) FROM generate_series(1, 2000)`))
    // The target is held up once every buffer in between is full: it waits for somebody to read.
    const isHeldUp = async (): Promise<boolean> => {
      const { rows } = await admin.query(
        `SELECT 1 FROM pg_stat_activity WHERE usename = 'lease' AND wait_event = 'ClientWrite'`,
      )
      return rows.length === 1
    }
    await expect.poll(isHeldUp, WAIT).toBe(true)
    const held = process.memoryUsage()
    expect(held.arrayBuffers + held.external - before.arrayBuffers - before.external).toBeLessThan(20_000_000)
    let received = 0
    client.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    client.resume()
    await expect.poll(() => received, WAIT).toBeGreaterThan(200_000_000)
    client.destroy()
    await gateway.session.outcome
    expect(gateway.session.guard.recorder.calls.at(-1)?.slice(0, 4)).toEqual([
      'result',
      1,
      'SELECT 2000',
      2000,
    ])
  })
})
