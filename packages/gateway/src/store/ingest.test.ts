import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { TargetPostgres } from '../../../../test/harness/postgres.ts'
import { startTargetPostgres } from '../../../../test/harness/postgres.ts'
import { raisedAlarm } from '../access/alarm.ts'
import type { Principal } from '../access/model.ts'
import { auditLog } from '../audit/audit-log.ts'
import { StoredAudit } from './audit.ts'
import type { Store } from './database.ts'
import { openStore } from './database.ts'
import { JournalIngest } from './ingest.ts'
import { FileJournal } from './journal.ts'
import { StoredReviews } from './reviews.ts'
import { StoredSessions } from './sessions.ts'
import { emptyDatabase, silent } from './store.fixture.ts'

let server: TargetPostgres
let store: Store
let dir: string
const opened: FileJournal[] = []
let databases = 0

beforeAll(async () => {
  server = await startTargetPostgres()
})
afterAll(() => server.stop())
beforeEach(async () => {
  store = await openStore({ url: await emptyDatabase(server, `ingest_${databases++}`), log: silent })
  dir = mkdtempSync(join(tmpdir(), 'sallyport-ingest-'))
})
afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.close()
  await store[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

function open(fileBytes = 1 << 26): {
  journal: FileJournal
  ingest: JournalIngest
  sessions: StoredSessions
} {
  const journal = new FileJournal({ dir, fileBytes })
  opened.push(journal)
  const ingest = new JournalIngest({ store, journal, log: silent })
  return { journal, ingest, sessions: new StoredSessions(store, ingest) }
}

const storedSessions = async (): Promise<number> =>
  (await store.db.selectFrom('sessions').select('id').execute()).length

const at = Date.parse('2026-01-01T00:00:00Z')
const principal: Principal = {
  kind: 'user',
  id: 'ana',
  issuer: 'i',
  subject: 'ana',
  groups: [],
  attributes: {},
}
const id = (n: number): string => `ses_${String(n).padStart(16, '0')}`
const line = (session: string, n: number, kind: string, rest: string): string =>
  `{"s":"${session}","n":${n},"at":${at + n},"k":"${kind}",${rest}}`
const start = (session: string, extra: object = {}): string =>
  line(
    session,
    0,
    'start',
    `"session":${JSON.stringify({ id: session, principal, target: 'shop', via: 'postgres', sourceIp: '::1', startedAt: at, ...extra })}`,
  )
const permit = '"d":{"effect":"permit","policies":["p"],"operations":["select Table::\\"shop/public.a\\""]}'
const deny = '"d":{"effect":"deny","policies":[],"operations":["drop"],"reason":"no"}'

test('a whole session can be read back as it was journalled', async () => {
  const { journal, sessions } = open()
  const session = id(1)
  for (const text of [
    start(session, { purpose: 'report', clientName: 'psql \u0000', toolUseId: 'toolu_1' }),
    line(session, 1, 'lease', '"lease":"lea_1","handle":"sp_l_1"'),
    line(session, 2, 'statement', `"text":"select \\"a\\"\\n, '€' \\u0000",${permit}`),
    line(session, 3, 'execute', '"of":2,"p":["1",null]'),
    line(
      session,
      4,
      'result',
      '"of":3,"rows":3,"bytes":120,"us":88,"tag":"SELECT \\",\\"rows\\":99","masked":[{"column":"b","class":"pii","method":"null","values":2}]',
    ),
    line(session, 5, 'statement', `"deny":1,"text":"drop table a",${deny}`),
    line(session, 6, 'result', '"of":5,"rows":0,"bytes":10,"us":5,"tag":"","sqlstate":"42501"'),
    line(session, 7, 'end', '"reason":"client"'),
  ]) {
    journal.append(text)
  }
  expect(await sessions.get(session)).toEqual({
    id: session,
    principal,
    target: 'shop',
    via: 'postgres',
    purpose: 'report',
    clientName: 'psql \uFFFD',
    clientSession: undefined,
    toolUseId: 'toolu_1',
    sourceIp: '::1',
    leaseId: 'lea_1',
    handle: 'sp_l_1',
    startedAt: new Date(at),
    endedAt: new Date(at + 7),
    endReason: 'client',
    statements: 2,
    denied: 1,
    rows: 3,
    bytes: 130,
  })
  const events = await sessions.events(session, { from: 1, limit: 100 })
  expect(events.map((row) => row.event)).toEqual([
    { kind: 'lease', leaseId: 'lea_1', handle: 'sp_l_1' },
    {
      kind: 'statement',
      text: 'select "a"\n, \'€\' \u0000',
      decision: { effect: 'permit', policies: ['p'], operations: ['select Table::"shop/public.a"'] },
    },
    { kind: 'execute', statement: 2, parameters: ['1', null] },
    {
      kind: 'result',
      of: 3,
      tag: 'SELECT ","rows":99',
      rows: 3,
      bytes: 120,
      micros: 88,
      masked: [{ column: 'b', dataClass: 'pii', method: 'null', values: 2 }],
    },
    {
      kind: 'statement',
      text: 'drop table a',
      decision: { effect: 'deny', policies: [], operations: ['drop'], reason: 'no' },
    },
    { kind: 'result', of: 5, tag: '', rows: 0, bytes: 10, micros: 5, sqlstate: '42501' },
    { kind: 'end', reason: 'client' },
  ])
})

test('what is read is paged by event number, over any number of batches', async () => {
  const { journal, ingest, sessions } = open()
  journal.append(start(id(1)))
  for (let n = 1; n < 60; n++) {
    journal.append(line(id(1), n, 'statement', `"text":"${n}",${permit}`))
    if (n % 3 === 0) await ingest.drain()
  }
  const numbers = async (from: number, limit: number): Promise<number[]> =>
    (await sessions.events(id(1), { from, limit })).map((row) => row.n)
  expect(await numbers(0, 100)).toEqual(Array.from({ length: 60 }, (_, n) => n))
  expect(await numbers(31, 4)).toEqual([31, 32, 33, 34])
  expect(await numbers(60, 4)).toEqual([])
  expect((await sessions.get(id(1)))?.statements).toBe(59)
})

test('sessions are listed newest first, by target, principal, state and time', async () => {
  const { journal, sessions } = open()
  journal.append(start(id(1), { startedAt: at + 1 }))
  journal.append(start(id(2), { startedAt: at + 2, target: 'other' }))
  journal.append(start(id(3), { startedAt: at + 3, principal: { ...principal, id: 'omar' } }))
  journal.append(line(id(1), 1, 'end', '"reason":"client"'))
  const list = async (filter: Partial<Parameters<StoredSessions['list']>[0]>): Promise<string[]> =>
    (await sessions.list({ limit: 10, ...filter })).map((row) => row.id)
  expect(await list({})).toEqual([id(3), id(2), id(1)])
  expect(await list({ limit: 1 })).toEqual([id(3)])
  expect(await list({ target: 'other' })).toEqual([id(2)])
  expect(await list({ principal: 'ana' })).toEqual([id(2), id(1)])
  expect(await list({ live: true })).toEqual([id(3), id(2)])
  expect(await list({ live: false })).toEqual([id(1)])
  expect(await list({ before: new Date(at + 3) })).toEqual([id(2), id(1)])
})

test('audit events come back newest first', async () => {
  const { journal, ingest } = open()
  const audit = new StoredAudit(store, ingest)
  const first = { type: 'gateway.start' as const, detail: { note: 'odd ,"at":1} \u0000' } }
  const second = { type: 'ticket.issue' as const, principal: 'ana', target: 'shop' }
  for (const [n, event] of [first, second].entries()) {
    journal.append(`{"a":${JSON.stringify(event)},"at":${at + n}}`)
  }
  expect(await audit.list({ limit: 10 })).toEqual([
    { at: new Date(at + 1), event: second },
    { at: new Date(at), event: first },
  ])
  expect(await audit.list({ limit: 10, principal: 'ana' })).toHaveLength(1)
  expect(await audit.list({ limit: 10, type: 'gateway.start' })).toHaveLength(1)
})

test('what a crash left is taken in at the next start, once, without its torn last line', async () => {
  const before = open()
  before.journal.append(start(id(1)))
  before.journal.append(line(id(1), 1, 'statement', `"text":"1",${permit}`))
  await before.ingest.drain()
  before.journal.append(line(id(1), 2, 'statement', `"text":"2",${permit}`))
  await before.journal.close()
  appendFileSync(
    join(dir, before.journal.position.file),
    line(id(1), 3, 'statement', '"text":"torn').slice(0, -1),
  )

  const after = open()
  await after.ingest.start()
  const row = await after.sessions.get(id(1))
  expect(row).toMatchObject({ statements: 2, endReason: 'gateway crashed', endedAt: new Date(at + 2) })
  expect((await after.sessions.events(id(1), { from: 0, limit: 9 })).map((event) => event.n)).toEqual([
    0, 1, 2,
  ])
  expect(readdirSync(dir)).toEqual([after.journal.position.file])
})

test('damaged lines are left out and hold nothing up', async () => {
  writeFileSync(
    join(dir, '000000000000001-00000000.jsonl'),
    `${start(id(1))}\n\0\0\0\n{"s":"x"}\nnot a line\n{"s":"${id(1)}","n":1,"at":5,"k":"end","rea}\n` +
      `${line(id(1), 1, 'statement', `"text":"1",${permit}`)}\n`,
  )
  const { ingest, sessions } = open()
  await ingest.start()
  expect(await sessions.get(id(1))).toMatchObject({ statements: 1 })
  expect(await sessions.events(id(1), { from: 0, limit: 9 })).toHaveLength(2)
})

test('files that are full are taken in and deleted', async () => {
  const { journal, ingest, sessions } = open(1000)
  journal.append(start(id(1)))
  for (let n = 1; n <= 100; n++) {
    journal.append(line(id(1), n, 'statement', `"text":"${n}",${permit}`))
    await new Promise<void>((resolve) =>
      journal.written({ recorded: resolve, unrecorded: () => resolve() }, false),
    )
  }
  expect(readdirSync(dir).length).toBeGreaterThan(10)
  await ingest.drain()
  expect(readdirSync(dir)).toEqual([journal.position.file])
  expect((await sessions.get(id(1)))?.statements).toBe(100)
  const { rows } = await sql`SELECT file FROM sallyport.journal_positions`.execute(store.db)
  expect(rows).toEqual([{ file: journal.position.file }])
})

test('after a commit whose answer was lost, nothing is counted twice', async () => {
  const { journal, ingest, sessions } = open()
  journal.append(start(id(1)))
  journal.append(line(id(1), 1, 'statement', `"text":"1",${permit}`))
  await ingest.drain()
  // Another ingest that knows nothing, like this one after an error: the store says where to go on.
  const other = new JournalIngest({ store, journal, log: silent })
  await other.drain()
  expect((await sessions.get(id(1)))?.statements).toBe(1)
})

test('without being asked, the store has it soon', async () => {
  const { journal, ingest } = open()
  await ingest.start()
  journal.append(start(id(1)))
  await expect.poll(storedSessions, { timeout: 5000 }).toBe(1)
  await ingest.stop()
})

test('alarms of a session and policy are one entry to be reviewed, each counted once, whatever crashes', async () => {
  const first = open()
  const rules = [{ policy: 'glass', says: 'loud', reviewers: ['security'] }]
  const around = {
    principal,
    via: 'postgres',
    sourceIp: '::1',
    operations: ['update a'],
    purpose: 'why \0',
  } as const
  let now = at
  const raise = (journal: FileJournal, session: string, text: string): void => {
    const alarm = raisedAlarm(rules, session, around, text)
    auditLog(journal, () => now++)({ type: 'access.alarm', target: 'shop', sessionId: session, alarm })
  }
  raise(first.journal, id(1), 'UPDATE a')
  raise(first.journal, id(1), 'UPDATE a')
  await first.ingest.drain()
  for (let i = 0; i < 30; i++) raise(first.journal, id(1), `UPDATE a -- ${i}\0${'x'.repeat(5000)}`)
  raise(first.journal, id(2), 'UPDATE a')
  // Killed here: what follows is another run over the same files, and another one after that.
  await first.journal.close()
  for (const _ of [1, 2]) await open().ingest.start()
  const reviews = new StoredReviews(store, open().ingest)
  const [second, one] = await reviews.list({ limit: 10 })
  expect(second).toMatchObject({ sessionId: id(2), alarms: 1 })
  expect(one).toMatchObject({
    state: 'open',
    sessionId: id(1),
    target: 'shop',
    rule: rules[0],
    principal,
    purpose: 'why \uFFFD',
    alarms: 32,
    firstAt: new Date(at),
    lastAt: new Date(at + 31),
  })
  expect(one?.statements).toHaveLength(20)
  expect(one?.statements[0]).toEqual({ text: 'UPDATE a', cut: false, operations: ['update a'], count: 2 })
  expect(one?.statements[1]).toMatchObject({ cut: true, count: 1 })
  expect(one?.statements[1]?.text).toHaveLength(4096)
  expect(await reviews.open()).toBe(2)
})
