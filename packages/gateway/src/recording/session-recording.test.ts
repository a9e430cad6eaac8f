import { expect, test } from 'vitest'
import { SallyportError } from '../access/errors.ts'
import type { Verdict } from '../protocols/contract.ts'
import type { Journal, JournalLine, JournalWaiter } from './ports.ts'
import { Recordings } from './recordings.ts'
import { MAX_TEXT, type SessionRecording, type SessionStart } from './session-recording.ts'

const START: SessionStart = {
  id: 'ses_a',
  principal: {
    kind: 'agent',
    id: 'insight-agent',
    issuer: 'https://idp.test',
    subject: 'insight-agent',
    groups: ['data-science'],
    attributes: {},
  },
  target: 'shop',
  via: 'postgres',
  purpose: undefined,
  clientName: 'psql',
  clientSession: undefined,
  toolUseId: undefined,
  sourceIp: '127.0.0.1',
  leaseId: undefined,
  handle: undefined,
  startedAt: new Date(1_700_000_000_000),
}
const PERMIT: Verdict = {
  permitted: true,
  policies: ['read'],
  epoch: 1,
  reusable: true,
  json: '{"effect":"permit","policies":["read"],"operations":["select public.customers"]}',
}
const DENY: Verdict = { ...PERMIT, permitted: false, json: '{"effect":"deny","policies":[],"operations":[]}' }

/** A journal in memory, written when the test says so. */
class MemoryJournal implements Journal {
  readonly lines: string[] = []
  readonly syncs: boolean[] = []
  broken = false
  #waiters: JournalWaiter[] = []

  #begun: JournalLine = { memory: Buffer.alloc(0), at: 0 }

  begin(most: number): JournalLine {
    if (this.broken) throw new SallyportError('RECORDING_FAILED', 'the journal cannot be written')
    this.#begun = { memory: Buffer.alloc(most), at: 0 }
    return this.#begun
  }

  endSoon(): void {
    const { memory, at } = this.#begun
    expect(at).toBeLessThanOrEqual(memory.length)
    this.lines.push(memory.toString('utf8', 0, at))
  }

  append(line: string): void {
    if (this.broken) throw new SallyportError('RECORDING_FAILED', 'the journal cannot be written')
    this.lines.push(line)
  }

  written(waiter: JournalWaiter, sync: boolean): void {
    this.syncs.push(sync)
    this.#waiters.push(waiter)
    queueMicrotask(() => this.flush())
  }

  flush(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.recorded()
  }
}

function opened(strict = false): {
  journal: MemoryJournal
  recording: SessionRecording
  errors: string[]
} {
  const journal = new MemoryJournal()
  const errors: string[] = []
  const log = { error: (_: object, message: string) => void errors.push(message) }
  const recording = new Recordings({ journal, log, now: () => 42 }).open(START, strict)
  return { journal, recording, errors }
}

test('opening writes the start', () => {
  expect(opened().journal.lines).toEqual([
    '{"s":"ses_a","n":0,"at":42,"k":"start","session":{"id":"ses_a","principal":{"kind":"agent","id":"insight-agent",' +
      '"issuer":"https://idp.test","subject":"insight-agent","groups":["data-science"],"attributes":{}},' +
      '"target":"shop","via":"postgres","clientName":"psql","sourceIp":"127.0.0.1","startedAt":"2023-11-14T22:13:20.000Z"}}',
  ])
})

test.each<[string, (recording: SessionRecording) => unknown, string]>([
  [
    'a permitted statement',
    (r) => r.statement('select 1', PERMIT),
    `"k":"statement","text":"select 1","d":${PERMIT.json}}`,
  ],
  [
    'a denied statement',
    (r) => r.statement('drop table "x"', DENY),
    `"k":"statement","deny":1,"text":"drop table \\"x\\"","d":${DENY.json}}`,
  ],
  ['an execution', (r) => r.execute(7, '["1",null]'), '"k":"execute","of":7,"p":["1",null]}'],
  [
    'a result',
    (r) => r.result(7, 'SELECT 3', 3, 120, 900),
    '"k":"result","of":7,"rows":3,"bytes":120,"us":900,"tag":"SELECT 3"}',
  ],
  [
    'a failure',
    (r) => r.result(7, '', 0, 0, 10, '42P01'),
    '"k":"result","of":7,"rows":0,"bytes":0,"us":10,"tag":"","sqlstate":"42P01"}',
  ],
  [
    'a result of which values were masked',
    (r) =>
      r.result(7, 'SELECT 3', 3, 120, 900, undefined, [
        { column: 'ssn', dataClass: 'pii.ssn', method: 'partial', values: 2 },
      ]),
    '"k":"result","of":7,"rows":3,"bytes":120,"us":900,"tag":"SELECT 3","masked":[{"column":"ssn","class":"pii.ssn","method":"partial","values":2}]}',
  ],
  [
    'the lease',
    (r) => r.lease('lea_b', 'sp_00000000_l_b'),
    '"k":"lease","lease":"lea_b","handle":"sp_00000000_l_b"}',
  ],
  ['the end', (r) => r.seal('killed by "omar"'), '"k":"end","reason":"killed by \\"omar\\""}'],
])('%s is one line', (_, record, expected) => {
  const { journal, recording } = opened()
  record(recording)
  expect(journal.lines.slice(1)).toEqual([`{"s":"ses_a","n":1,"at":42,${expected}`])
})

test('events are numbered through, and the number is returned', () => {
  const { recording } = opened()
  expect(recording.statement('a', PERMIT)).toBe(1)
  recording.result(1, 'SELECT 1', 1, 1, 1)
  expect(recording.execute(1, '[]')).toBe(3)
})

test.each([
  ['written', false],
  ['strict', true],
])('a target with recording: %s asks for sync: %s', async (_, strict) => {
  const { journal, recording } = opened(strict)
  await new Promise<void>((resolve, reject) => recording.written({ recorded: resolve, unrecorded: reject }))
  expect(journal.syncs).toEqual([strict])
})

test('a statement too long to be kept whole is cut, marked, and nothing is forwarded any more', async () => {
  const { journal, recording } = opened()
  const text = `${'x'.repeat(MAX_TEXT - 1)}😀`
  recording.statement(text, PERMIT)
  expect(JSON.parse(journal.lines[1] ?? '')).toMatchObject({
    text: `${'x'.repeat(MAX_TEXT - 1)}\ufffd`,
    cut: MAX_TEXT + 1,
  })
  const outcome = await new Promise((resolve) =>
    recording.written({ recorded: () => resolve('recorded'), unrecorded: (error) => resolve(error.code) }),
  )
  expect(outcome).toBe('WIRE_TOO_LARGE')
})

test('a denied statement that is too long is cut, and the session goes on', async () => {
  const { recording } = opened()
  recording.statement('x'.repeat(MAX_TEXT + 1), DENY)
  const outcome = await new Promise((resolve) =>
    recording.written({ recorded: () => resolve('recorded'), unrecorded: resolve }),
  )
  expect(outcome).toBe('recorded')
})

test('only the first end counts', async () => {
  const { journal, recording } = opened()
  recording.seal('client')
  recording.seal('deadline')
  await recording[Symbol.asyncDispose]()
  expect(journal.lines.slice(1)).toEqual(['{"s":"ses_a","n":1,"at":42,"k":"end","reason":"client"}'])
})

test('what nobody sealed is sealed on the way out', async () => {
  const { journal, recording } = opened()
  await recording[Symbol.asyncDispose]()
  expect(journal.lines.at(-1)).toBe('{"s":"ses_a","n":1,"at":42,"k":"end","reason":"INTERNAL"}')
})

test('after the end no statement can be recorded, and late results are left out', () => {
  const { journal, recording } = opened()
  recording.seal('client')
  recording.result(1, 'SELECT 1', 1, 1, 1)
  expect(() => recording.statement('select 1', PERMIT)).toThrow('the session has ended')
  expect(journal.lines).toHaveLength(2)
})

test('a journal that cannot be written stops statements, and does not stop the end', async () => {
  const { journal, recording, errors } = opened()
  journal.broken = true
  expect(() => recording.statement('select 1', PERMIT)).toThrow('the journal cannot be written')
  await recording[Symbol.asyncDispose]()
  expect(errors).toEqual(['the end of a session could not be recorded'])
})
