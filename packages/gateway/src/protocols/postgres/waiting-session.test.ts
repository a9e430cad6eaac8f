import { once } from 'node:events'
import { connect as dial } from 'node:net'
import { duplexPair } from 'node:stream'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { TargetPostgres } from '../../../../../test/harness/postgres.ts'
import type { Target } from '../../access/model.ts'
import type { TestRequest } from './approval.fixture.ts'
import { RawClient, TestGateway } from './gateway.fixture.ts'
import { gatewayCertificate, startLeasedTarget } from './lease.fixture.ts'
import { encodeCancelRequest } from './messages.ts'
import { StatementReader } from './parser.ts'
import { client as wire, type Frame } from './wire.fixture.ts'

const WAIT = { timeout: 20_000, interval: 10 }

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
  await admin.query(`CREATE TABLE orders (id int PRIMARY KEY, note text);
    GRANT SELECT ON orders TO lease`)
})
afterAll(async () => {
  await reader.close()
  await server.stop()
})
beforeEach(async () => {
  await admin.query(`TRUNCATE orders; INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 5) n`)
  gateway = await TestGateway.start(target, certificate, reader)
  gateway.prepare = (guard) => {
    guard.denied.clear()
    for (const action of ['delete', 'copyIn', 'update'] as const) guard.needApproval.add(action)
    guard.privilege = {
      give: async () => void (await admin.query('GRANT DELETE, UPDATE, INSERT ON orders TO lease')),
      take: async () => void (await admin.query('REVOKE DELETE, UPDATE, INSERT ON orders FROM lease')),
    }
  }
})
afterEach(async () => {
  await gateway[Symbol.asyncDispose]()
})

const requests = (): readonly TestRequest[] => gateway.session.guard.requests
const asked = (n = 1): Promise<void> => expect.poll(() => requests().length, WAIT).toBe(n)
const left = async (): Promise<number> =>
  (await admin.query<{ n: number }>('SELECT count(*)::int AS n FROM orders')).rows[0]?.n ?? -1
const types = (messages: readonly Frame[]): string => messages.map(({ type }) => type).join('')

async function failure(running: Promise<unknown>): Promise<pg.DatabaseError> {
  const error: unknown = await running.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof pg.DatabaseError)) throw new Error(`no answer of the server's: ${String(error)}`)
  return error
}

async function mayDelete(): Promise<boolean> {
  const { rows } = await admin.query<{ may: boolean }>(
    `SELECT has_table_privilege('lease', 'orders', 'DELETE') AS may`,
  )
  return rows[0]?.may === true
}

describe('a statement that waits for people', () => {
  it('runs when they approve, with a privilege that its role has for it alone', async () => {
    const client = await gateway.client()
    const notices: string[] = []
    client.on('notice', ({ message }) => notices.push(message ?? ''))
    const running = client.query('DELETE FROM orders WHERE id = $1', [3])
    await asked()
    expect(await mayDelete()).toBe(false)
    expect(await left()).toBe(5)
    requests()[0]?.grant()
    expect((await running).rowCount).toBe(1)
    expect(await left()).toBe(4)
    await expect.poll(mayDelete, WAIT).toBe(false)
    expect(notices).toEqual(['waiting for approval apr_1 by 1 of dba: people look at it first'])
    expect((await client.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 4 }])
  })

  it('leaves its client in the transaction that it was in, and others alone', async () => {
    const client = await gateway.client()
    await client.query('BEGIN')
    await client.query('SELECT 1')
    const running = client.query('DELETE FROM orders')
    await asked()
    const first = gateway.session
    const other = await gateway.client()
    expect((await other.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
    first.guard.request.grant()
    expect((await running).rowCount).toBe(5)
    await client.query('ROLLBACK')
    expect(await left()).toBe(5)
  })

  it('fails its transaction when they deny it', async () => {
    const client = await gateway.client()
    await client.query('BEGIN')
    const running = failure(client.query('DELETE FROM orders'))
    await asked()
    requests()[0]?.deny('ana denied it: not today')
    const error = await running
    expect(error.code).toBe('42501')
    expect(error.message).toBe('ana denied it: not today')
    expect((await failure(client.query('SELECT 1'))).code).toBe('25P02')
    await client.query('ROLLBACK')
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }])
  })

  it('is cancelled by a CancelRequest, without the target being bothered', async () => {
    using client = await RawClient.dial(gateway.port)
    const key = await client.logIn()
    client.send(wire.query('DELETE FROM orders'))
    await client.until('N')
    const cancel = dial(gateway.port, '127.0.0.1')
    cancel.end(encodeCancelRequest(key.readInt32BE(0), key.subarray(4)))
    await once(cancel, 'close')
    expect(types(await client.until('Z'))).toBe('EZ')
    expect(requests()[0]?.withdrawn).toBe('its client cancelled it')
    requests()[0]?.grant()
    client.send(wire.query('SELECT 1'))
    expect(types(await client.until('Z'))).toBe('TDCZ')
    expect(await left()).toBe(5)
  })

  it.each(['TCP', 'in-process'])('is withdrawn when its client has gone (%s)', async (kind) => {
    const [near, far] = duplexPair()
    if (kind === 'in-process') gateway.take(near)
    using client = kind === 'TCP' ? await RawClient.dial(gateway.port) : new RawClient(far)
    await client.logIn()
    client.send(wire.query('DELETE FROM orders'), wire.query('SELECT 1'))
    await client.until('N')
    client.stream.destroy()
    expect(await gateway.session.outcome).toBe('client')
    expect(requests()[0]?.withdrawn).toBe('its client has gone')
    requests()[0]?.grant()
    expect(await left()).toBe(5)
    expect(await mayDelete()).toBe(false)
  })

  it('is withdrawn when its session is ended, and its client told', async () => {
    const client = await gateway.client()
    const running = failure(client.query('DELETE FROM orders'))
    await asked()
    const { SallyportError } = await import('../../access/errors.ts')
    gateway.session.guard.end(new SallyportError('SESSION_ENDED', 'killed by omar'))
    expect((await running).code).toBe('57P01')
    expect(requests()[0]?.withdrawn).toBe('its client has gone')
  })

  it('keeps what its client sends behind it, however much that is', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    client.send(wire.query('DELETE FROM orders WHERE id = 1'))
    const padding = 'x'.repeat(30_000)
    for (let n = 0; n < 20; n++) client.send(wire.query(`SELECT '${padding}${n}'`))
    await client.until('N')
    requests()[0]?.grant()
    await client.until('Z')
    for (let n = 0; n < 20; n++) {
      const row = (await client.until('Z')).find(({ type }) => type === 'D')
      expect(row?.body.subarray(6).toString()).toBe(`${padding}${n}`)
    }
  })

  it('ends with its transaction when the target gives that up for being idle', async () => {
    const client = await gateway.client()
    await client.query(`SET idle_in_transaction_session_timeout = '300ms'`)
    await client.query('BEGIN')
    const error = await failure(client.query('DELETE FROM orders'))
    expect(error.code).toBe('25P03')
    expect(await gateway.session.outcome).toBe('target')
    expect(requests()[0]?.withdrawn).toBe('the target gave up what it was a part of')
  })
})

describe('the privilege for an approved statement', () => {
  it('is gone before what was sent behind it runs', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    // What the gateway misread as harmless would have to be stopped by the target.
    gateway.session.guard.needApproval.delete('update')
    client.send(
      wire.query('DELETE FROM orders WHERE id = 1'),
      wire.query(`UPDATE orders SET note = 'stolen'`),
    )
    await client.until('N')
    requests()[0]?.grant()
    expect(types(await client.until('Z'))).toBe('CZ')
    expect(types(await client.until('Z'))).toBe('EZ')
    const { rows } = await admin.query(`SELECT 1 FROM orders WHERE note = 'stolen'`)
    expect(rows).toEqual([])
  })

  it('is gone before what was pipelined behind it in the extended protocol runs', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    gateway.session.guard.needApproval.delete('update')
    client.send(
      wire.parse('', 'DELETE FROM orders WHERE id = 1'),
      wire.bind('', ''),
      wire.execute(''),
      wire.parse('u', `UPDATE orders SET note = 'stolen'`),
      wire.bind('u', 'u'),
      wire.execute('u'),
      wire.sync,
    )
    await client.until('N')
    requests()[0]?.grant()
    const answer = await client.until('Z')
    expect(types(answer)).toBe('2C12EZ')
    expect(await left()).toBe(5)
  })

  it('is taken away when the statement fails', async () => {
    const client = await gateway.client()
    const running = failure(client.query(`UPDATE orders SET id = 1`))
    await asked()
    requests()[0]?.grant()
    expect((await running).code).toBe('23505')
    await expect.poll(mayDelete, WAIT).toBe(false)
  })

  it('is taken away when the running statement is cancelled', async () => {
    const client = await gateway.client()
    const running = failure(client.query('DELETE FROM orders WHERE pg_sleep(60) IS NOT NULL'))
    await asked()
    requests()[0]?.grant()
    await expect
      .poll(
        async () =>
          (await admin.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)).rows.length,
        WAIT,
      )
      .toBe(1)
    await admin.query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)
    expect((await running).code).toBe('57014')
    await expect.poll(mayDelete, WAIT).toBe(false)
  })

  it('lets COPY FROM take its data', async () => {
    using client = await RawClient.dial(gateway.port)
    await client.logIn()
    client.send(wire.query('COPY orders FROM STDIN'))
    await client.until('N')
    requests()[0]?.grant()
    await client.until('G')
    client.send(wire.copyData('6\tnew\n'), wire.copyDone)
    expect(types(await client.until('Z'))).toBe('CZ')
    expect(await left()).toBe(6)
    await expect.poll(mayDelete, WAIT).toBe(false)
  })
})
