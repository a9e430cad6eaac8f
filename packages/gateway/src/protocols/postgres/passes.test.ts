import { beforeAll, describe, expect, it } from 'vitest'
import { catalogOf, tableOf } from '../../access/catalog.fixture.ts'
import { SallyportError } from '../../access/errors.ts'
import { MAX_STATEMENT } from './frontend-bounds.ts'
import { type Call, directReader } from './guard.fixture.ts'
import { MAX_IN_FLIGHT } from './in-flight.ts'
import { decodeErrorFields, FRONTEND, message } from './messages.ts'
import { type Outcome, play, ScriptedSession, type Step } from './script.fixture.ts'
import type { SqlReader } from './statement-cache.ts'
import { client, frames, target } from './wire.fixture.ts'

let reader: SqlReader
beforeAll(async () => {
  reader = await directReader()
})

const TWO_TABLES = catalogOf([tableOf('public.t', ['a']), tableOf('shut.t', ['a'])], {
  schemas: ['public', 'shut'],
})

const marker = (n: number): string => `sallyport_denied_0badcafe_ses_test_${n}`
const UNKNOWN = 'sallyport_unknown_0badcafe'
const unknownComplaint = target.error('42601', `syntax error at or near "${UNKNOWN}"`)
const complaint = (n: number): Buffer => target.error('42601', `syntax error at or near "${marker(n)}"`)

const c = (...messages: readonly Buffer[]): Step => ({ client: Buffer.concat(messages) })
const t = (...messages: readonly Buffer[]): Step => ({ target: Buffer.concat(messages) })

/** One line for each message: its type and what matters of it. */
function sentByClient(stream: Buffer): string[] {
  return frames(stream).map(({ type, body }) => {
    const parts = body.toString('latin1').split('\0')
    if (type === 'P' || type === 'B') return `${type} ${parts[0]}|${parts[1]}`
    if (body.length > 200) return `${type} ${body.length} bytes`
    return `${type} ${type === 'd' ? body.toString() : (parts[0] ?? '')}`.trim()
  })
}

function sentByTarget(stream: Buffer): string[] {
  return frames(stream).map(({ type, body }) => {
    if (type === 'E') {
      const fields = decodeErrorFields(body, 0, body.length)
      return `E ${fields.get('C')} ${fields.get('M')}`
    }
    if (type === 'C' || type === 'Z' || type === 'd') return `${type} ${body.toString().replaceAll('\0', '')}`
    return type
  })
}

interface Script {
  readonly steps: readonly Step[]
  readonly toTarget: readonly string[]
  readonly toClient: readonly string[]
  /** Without the sizes of results. */
  readonly calls: readonly (readonly unknown[])[]
}

const select = [target.rowDescription, target.row('1'), target.complete('SELECT 1')]

const SCRIPTS: Readonly<Record<string, Script>> = {
  'a simple query': {
    steps: [c(client.query('SELECT 1')), t(...select, target.ready('I'))],
    toTarget: ['Q SELECT 1'],
    toClient: ['T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'SELECT 1', 'permit'],
      ['result', 1, 'SELECT 1', 1, undefined],
    ],
  },
  'an empty query': {
    steps: [c(client.query('')), t(target.emptyQuery, target.ready('I'))],
    toTarget: ['Q'],
    toClient: ['I', 'Z I'],
    calls: [
      ['statement', 1, '', 'permit'],
      ['result', 1, '', 0, undefined],
    ],
  },
  'two simple queries sent at once': {
    steps: [
      c(client.query('SELECT 1'), client.query('SELECT 22')),
      t(...select, target.ready('I'), target.rowDescription, target.row('22')),
      t(target.complete('SELECT 1'), target.ready('I')),
    ],
    toTarget: ['Q SELECT 1', 'Q SELECT 22'],
    toClient: ['T', 'D', 'C SELECT 1', 'Z I', 'T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'SELECT 1', 'permit'],
      ['statement', 2, 'SELECT 22', 'permit'],
      ['result', 1, 'SELECT 1', 1, undefined],
      ['result', 2, 'SELECT 1', 1, undefined],
    ],
  },
  'a query that fails in the target': {
    steps: [
      c(client.query('SELECT nothing')),
      t(target.notice('look'), target.error('42703', 'column "nothing" does not exist'), target.ready('E')),
    ],
    toTarget: ['Q SELECT nothing'],
    toClient: ['N', 'E 42703 column "nothing" does not exist', 'Z E'],
    calls: [
      ['statement', 1, 'SELECT nothing', 'permit'],
      ['result', 1, '', 0, '42703'],
    ],
  },
  'a denied query between permitted ones': {
    steps: [
      c(client.query('SELECT 1'), client.query('DROP TABLE t'), client.query('SELECT 2')),
      t(...select, target.ready('I'), complaint(2), target.ready('I'), ...select, target.ready('I')),
    ],
    toTarget: ['Q SELECT 1', `Q ${marker(2)}`, 'Q SELECT 2'],
    toClient: [
      'T',
      'D',
      'C SELECT 1',
      'Z I',
      'E 42501 denied by policy: drop is forbidden',
      'Z I',
      'T',
      'D',
      'C SELECT 1',
      'Z I',
    ],
    calls: [
      ['statement', 1, 'SELECT 1', 'permit'],
      ['statement', 2, 'DROP TABLE t', 'deny'],
      ['statement', 3, 'SELECT 2', 'permit'],
      ['result', 1, 'SELECT 1', 1, undefined],
      ['result', 2, '', 0, '42501'],
      ['result', 3, 'SELECT 1', 1, undefined],
    ],
  },
  'the extended protocol, all at once': {
    steps: [
      c(client.parse('', 'SELECT $1::int'), client.bind('', '', ['7']), client.describe('P', '')),
      c(client.execute(''), client.sync),
      t(target.parseComplete, target.bindComplete, ...select, target.ready('I')),
    ],
    toTarget: ['P |SELECT $1::int', 'B |', 'D P', 'E', 'S'],
    toClient: ['1', '2', 'T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'SELECT $1::int', 'permit'],
      ['execute', 2, 1, '["7"]'],
      ['result', 2, 'SELECT 1', 1, undefined],
    ],
  },
  'a portal that is run in pieces': {
    steps: [
      c(client.parse('', 'SELECT 1'), client.bind('p', ''), client.execute('p', 1), client.flush),
      t(target.parseComplete, target.bindComplete, target.row('1'), target.portalSuspended),
      c(client.execute('p', 1), client.close('P', 'p'), client.sync),
      t(target.complete('SELECT 0'), target.closeComplete, target.ready('I')),
    ],
    toTarget: ['P |SELECT 1', 'B p|', 'E p', 'H', 'E p', 'C Pp', 'S'],
    toClient: ['1', '2', 'D', 's', 'C SELECT 0', '3', 'Z I'],
    calls: [
      ['statement', 1, 'SELECT 1', 'permit'],
      ['execute', 2, 1, '[]'],
      ['result', 2, '', 0, undefined],
      ['execute', 3, 1, '[]'],
      ['result', 3, 'SELECT 0', 0, undefined],
    ],
  },
  'a denied Parse in the middle of a pipeline': {
    steps: [
      c(client.parse('', 'SELECT 1'), client.bind('', ''), client.execute('')),
      c(client.parse('x', 'DELETE FROM t'), client.bind('', 'x'), client.execute(''), client.sync),
      c(client.parse('', 'SELECT 2'), client.bind('', ''), client.execute(''), client.sync),
      t(target.parseComplete, target.bindComplete, ...select, complaint(3), target.ready('I')),
      t(target.parseComplete, target.bindComplete, ...select, target.ready('I')),
    ],
    toTarget: ['P |SELECT 1', 'B |', 'E', `P ${marker(3)}|${marker(3)}`, 'S', 'P |SELECT 2', 'B |', 'E', 'S'],
    toClient: [
      '1',
      '2',
      'T',
      'D',
      'C SELECT 1',
      'E 42501 denied by policy: delete is forbidden',
      'Z I',
      '1',
      '2',
      'T',
      'D',
      'C SELECT 1',
      'Z I',
    ],
    calls: [
      ['statement', 1, 'SELECT 1', 'permit'],
      ['execute', 2, 1, '[]'],
      ['statement', 3, 'DELETE FROM t', 'deny'],
      ['statement', 4, 'SELECT 2', 'permit'],
      ['execute', 5, 4, '[]'],
      ['result', 2, 'SELECT 1', 1, undefined],
      ['result', 3, '', 0, '42501'],
      ['result', 5, 'SELECT 1', 1, undefined],
    ],
  },
  'an Execute of a portal that is not known': {
    steps: [c(client.execute('nowhere'), client.sync), t(unknownComplaint, target.ready('I'))],
    toTarget: [`P ${UNKNOWN}|${UNKNOWN}`, 'S'],
    toClient: ['E 34000 portal "nowhere" does not exist', 'Z I'],
    calls: [],
  },
  'a function call': {
    steps: [
      c(client.functionCall, client.query('SELECT 1')),
      t(complaint(1), target.ready('I'), ...select, target.ready('I')),
    ],
    toTarget: [`Q ${marker(1)}`, 'Q SELECT 1'],
    toClient: [
      'E 42501 denied by policy: function calls by number cannot be read',
      'Z I',
      'T',
      'D',
      'C SELECT 1',
      'Z I',
    ],
    calls: [
      ['statement', 1, '-- function calls by number cannot be read', 'deny'],
      ['statement', 2, 'SELECT 1', 'permit'],
      ['result', 1, '', 0, '42501'],
      ['result', 2, 'SELECT 1', 1, undefined],
    ],
  },
  'COPY out': {
    steps: [
      c(client.query('COPY t TO STDOUT')),
      t(target.copyOut, target.copyData('a\n'), target.copyData('b\n'), target.copyDone),
      t(target.complete('COPY 2'), target.ready('I')),
    ],
    toTarget: ['Q COPY t TO STDOUT'],
    toClient: ['H', 'd a\n', 'd b\n', 'c', 'C COPY 2', 'Z I'],
    calls: [
      ['statement', 1, 'COPY t TO STDOUT', 'permit'],
      ['result', 1, 'COPY 2', 2, undefined],
    ],
  },
  'COPY in, twice in one query': {
    steps: [
      c(client.query('COPY t FROM STDIN; COPY u FROM STDIN')),
      t(target.copyIn),
      c(client.copyData('a\n'), client.copyDone),
      t(target.complete('COPY 1'), target.copyIn),
      c(client.sync, client.copyData('b\n'), client.copyDone, client.query('SELECT 1')),
      t(target.complete('COPY 1'), target.ready('I'), ...select, target.ready('I')),
    ],
    toTarget: ['Q COPY t FROM STDIN; COPY u FROM STDIN', 'd a', 'c', 'S', 'd b', 'c', 'Q SELECT 1'],
    toClient: ['G', 'C COPY 1', 'G', 'C COPY 1', 'Z I', 'T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'COPY t FROM STDIN; COPY u FROM STDIN', 'permit'],
      ['statement', 2, 'SELECT 1', 'permit'],
      ['result', 1, 'COPY 1', 2, undefined],
      ['result', 2, 'SELECT 1', 1, undefined],
    ],
  },
  'COPY in, with its data sent ahead': {
    steps: [
      c(client.query('COPY t FROM STDIN'), client.copyData('a\n'), client.copyDone),
      t(target.copyIn, target.complete('COPY 1'), target.ready('I')),
      c(client.query('SELECT 1')),
      t(...select, target.ready('I')),
    ],
    toTarget: ['Q COPY t FROM STDIN', 'd a', 'c', 'Q SELECT 1'],
    toClient: ['G', 'C COPY 1', 'Z I', 'T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'COPY t FROM STDIN', 'permit'],
      ['result', 1, 'COPY 1', 1, undefined],
      ['statement', 2, 'SELECT 1', 'permit'],
      ['result', 2, 'SELECT 1', 1, undefined],
    ],
  },
  'COPY in through the extended protocol, with Sync sent ahead': {
    steps: [
      c(client.parse('', 'COPY t FROM STDIN'), client.bind('', ''), client.execute(''), client.sync),
      t(target.parseComplete, target.bindComplete, target.copyIn),
      c(client.copyData('a\n'), client.sync, client.copyData('b\n'), client.copyDone, client.sync),
      t(target.complete('COPY 2'), target.ready('I')),
      c(client.query('SELECT 1')),
      t(...select, target.ready('I')),
    ],
    toTarget: ['P |COPY t FROM STDIN', 'B |', 'E', 'S', 'd a', 'S', 'd b', 'c', 'S', 'Q SELECT 1'],
    toClient: ['1', '2', 'G', 'C COPY 2', 'Z I', 'T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'COPY t FROM STDIN', 'permit'],
      ['execute', 2, 1, '[]'],
      ['result', 2, 'COPY 2', 2, undefined],
      ['statement', 3, 'SELECT 1', 'permit'],
      ['result', 3, 'SELECT 1', 1, undefined],
    ],
  },
  'COPY in that fails before the Sync sent ahead is read': {
    steps: [
      c(client.parse('', 'COPY t FROM STDIN'), client.bind('', ''), client.execute(''), client.sync),
      t(target.parseComplete, target.bindComplete, target.copyIn),
      c(client.copyData('a\n'), client.copyDone, client.sync),
      t(target.error('P0001', 'a trigger said no'), target.ready('I'), target.ready('I')),
      c(client.query('SELECT 1')),
      t(...select, target.ready('I')),
    ],
    toTarget: ['P |COPY t FROM STDIN', 'B |', 'E', 'S', 'd a', 'c', 'S', 'Q SELECT 1'],
    toClient: ['1', '2', 'G', 'E P0001 a trigger said no', 'Z I', 'Z I', 'T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'COPY t FROM STDIN', 'permit'],
      ['execute', 2, 1, '[]'],
      ['result', 2, '', 0, 'P0001'],
      ['statement', 3, 'SELECT 1', 'permit'],
      ['result', 3, 'SELECT 1', 1, undefined],
    ],
  },
  'COPY in that fails while data is still coming': {
    steps: [
      c(client.query('COPY t FROM STDIN')),
      t(target.copyIn),
      c(client.copyData('not a number\n')),
      t(target.error('22P02', 'invalid input'), target.ready('I')),
      c(client.copyData('more\n'), client.copyDone, client.query('SELECT 1')),
      t(...select, target.ready('I')),
    ],
    toTarget: ['Q COPY t FROM STDIN', 'd not a number', 'd more', 'c', 'Q SELECT 1'],
    toClient: ['G', 'E 22P02 invalid input', 'Z I', 'T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'COPY t FROM STDIN', 'permit'],
      ['result', 1, '', 0, '22P02'],
      ['statement', 2, 'SELECT 1', 'permit'],
      ['result', 2, 'SELECT 1', 1, undefined],
    ],
  },
  'COPY in that the client gives up': {
    steps: [
      c(client.query('COPY t FROM STDIN')),
      t(target.copyIn),
      c(client.copyFail('changed my mind')),
      t(target.error('57014', 'COPY from stdin failed'), target.ready('I')),
    ],
    toTarget: ['Q COPY t FROM STDIN', 'f changed my mind'],
    toClient: ['G', 'E 57014 COPY from stdin failed', 'Z I'],
    calls: [
      ['statement', 1, 'COPY t FROM STDIN', 'permit'],
      ['result', 1, '', 0, '57014'],
    ],
  },
  'a denied COPY whose data is sent ahead': {
    steps: [
      c(client.query('TRUNCATE t; COPY t FROM STDIN'), client.copyData('a\n'), client.copyDone),
      t(complaint(1), target.ready('I')),
      c(client.query('SELECT 1')),
      t(...select, target.ready('I')),
    ],
    toTarget: [`Q ${marker(1)}`, 'd a', 'c', 'Q SELECT 1'],
    toClient: ['E 42501 denied by policy: truncate is forbidden', 'Z I', 'T', 'D', 'C SELECT 1', 'Z I'],
    calls: [
      ['statement', 1, 'TRUNCATE t; COPY t FROM STDIN', 'deny'],
      ['result', 1, '', 0, '42501'],
      ['statement', 2, 'SELECT 1', 'permit'],
      ['result', 2, 'SELECT 1', 1, undefined],
    ],
  },
  'Terminate, and something after it': {
    steps: [c(client.query('SELECT 1'), client.terminate, client.query('SELECT 2'))],
    toTarget: ['Q SELECT 1', 'X'],
    toClient: [],
    calls: [['statement', 1, 'SELECT 1', 'permit']],
  },
  'what the target says unasked': {
    steps: [
      t(target.notification('news', 'x'), target.parameter('TimeZone', 'UTC'), target.notice('n')),
      c(client.sync),
      t(target.ready('I')),
    ],
    toTarget: ['S'],
    toClient: ['A', 'S', 'N', 'Z I'],
    calls: [],
  },
  'a PREPARE, and what EXECUTE then does': {
    steps: [
      c(client.query('PREPARE p AS SELECT 1')),
      t(target.complete('PREPARE'), target.ready('I')),
      c(client.query('EXECUTE p')),
      t(...select, target.ready('I')),
      c(client.query('EXECUTE unheard_of')),
      t(complaint(3), target.ready('I')),
    ],
    toTarget: ['Q PREPARE p AS SELECT 1', 'Q EXECUTE p', `Q ${marker(3)}`],
    toClient: [
      'C PREPARE',
      'Z I',
      'T',
      'D',
      'C SELECT 1',
      'Z I',
      'E 42501 denied by policy: there is no prepared statement "unheard_of"',
      'Z I',
    ],
    calls: [
      ['statement', 1, 'PREPARE p AS SELECT 1', 'permit'],
      ['result', 1, 'PREPARE', 0, undefined],
      ['statement', 2, 'EXECUTE p', 'permit'],
      ['result', 2, 'SELECT 1', 1, undefined],
      ['statement', 3, 'EXECUTE unheard_of', 'deny'],
      ['result', 3, '', 0, '42501'],
    ],
  },
}

function withoutSizes(calls: readonly unknown[]): unknown[] {
  return (calls as Call[]).map((call) =>
    call[0] === 'result' ? [call[0], call[1], call[2], call[3], call[5]] : call,
  )
}

describe.each(Object.entries(SCRIPTS))('%s', (_, script) => {
  async function run(cut: (step: number, length: number) => readonly number[]): Promise<Outcome> {
    const session = new ScriptedSession(reader)
    const outcome = await play(session, script.steps, cut)
    expect(session.undecided()).toEqual([])
    expect(session.held).toBe(0)
    expect(session.carried).toBe(0)
    return outcome
  }

  it('is decided, forwarded and recorded', async () => {
    const outcome = await run(() => [])
    expect(sentByClient(Buffer.from(outcome.toTarget, 'hex')).map((line) => line.trim())).toEqual(
      script.toTarget,
    )
    expect(sentByTarget(Buffer.from(outcome.toClient, 'hex'))).toEqual(script.toClient)
    expect(withoutSizes(outcome.calls)).toEqual(script.calls)
  })

  it('comes to the same when cut at every byte', async () => {
    const whole = await run(() => [])
    const everywhere = await run((_step, length) => Array.from({ length }, (_unused, at) => at))
    expect(everywhere).toEqual(whole)
    for (const [cutStep, step] of script.steps.entries()) {
      const { length } = 'client' in step ? step.client : step.target
      for (let at = 1; at < length; at++) {
        const outcome = await run((n) => (n === cutStep ? [at] : []))
        expect(outcome, `step ${cutStep} cut at ${at}`).toEqual(whole)
      }
    }
  })
})

describe('long messages', () => {
  const cuts = (length: number): readonly (readonly number[])[] => [
    [],
    [1],
    [4],
    [5],
    [6],
    [100],
    [16_384, 32_768],
    [length - 1],
  ]

  it.each([
    ['Query', client.query(`SELECT '${'x'.repeat(MAX_STATEMENT)}'`), 'Q'],
    ['Parse', client.parse('s', `SELECT '${'x'.repeat(MAX_STATEMENT)}'`), 'P'],
  ])('a %s over the limit is denied without being kept', async (_, long, type) => {
    for (const cut of cuts(long.length)) {
      const session = new ScriptedSession(reader)
      let most = 0
      let at = 0
      for (const end of [...cut, long.length]) {
        await session.client(long.subarray(at, end))
        at = end
        most = Math.max(most, session.held)
      }
      await session.client(client.sync, client.query('SELECT 1'))
      expect(most).toBeLessThan(5)
      const sent = sentByClient(session.toTarget)
      expect(sent[0]).toBe(type === 'Q' ? `Q ${marker(1)}` : `P ${marker(1)}|${marker(1)}`)
      expect(sent.slice(1)).toEqual(['S', 'Q SELECT 1'])
      expect(session.undecided()).toEqual([])
    }
  })

  it('a big Bind streams past with only its names looked at', async () => {
    const bind = client.bind('p', '', ['x'.repeat(500_000)])
    for (const cut of cuts(bind.length)) {
      const session = new ScriptedSession(reader)
      await session.client(client.parse('', 'SELECT $1'))
      let at = 0
      for (const end of [...cut, bind.length]) {
        await session.client(bind.subarray(at, end))
        at = end
        if (end > 1100) expect(session.held).toBe(0)
      }
      await session.client(client.execute('p'), client.sync)
      expect(
        session.toTarget.equals(
          Buffer.concat([client.parse('', 'SELECT $1'), bind, client.execute('p'), client.sync]),
        ),
      ).toBe(true)
      expect(session.guard.recorder.calls.at(-1)).toEqual([
        'execute',
        2,
        1,
        `["… ${bind.length} bytes of parameters"]`,
      ])
    }
  })

  it('a big Bind of a statement that is not known is dropped whole', async () => {
    const bind = client.bind('p', 'unheard_of', ['x'.repeat(500_000)])
    for (const cut of cuts(bind.length)) {
      const session = new ScriptedSession(reader)
      let at = 0
      for (const end of [...cut, bind.length]) {
        await session.client(bind.subarray(at, end))
        at = end
      }
      await session.client(client.sync)
      expect(sentByClient(session.toTarget)).toEqual([`P ${UNKNOWN}|${UNKNOWN}`, 'S'])
    }
  })

  it('CopyData and DataRow stream past', async () => {
    const data = message(FRONTEND.copyData, Buffer.alloc(300_000, 'x'))
    const row = target.row('y'.repeat(300_000))
    for (const cut of cuts(data.length)) {
      const session = new ScriptedSession(reader)
      await session.client(client.query('COPY t FROM STDIN'))
      await session.target(target.copyIn)
      let at = 0
      for (const end of [...cut, data.length]) {
        await session.client(data.subarray(at, end))
        at = end
        expect(session.held).toBeLessThan(5)
      }
      await session.client(client.copyDone, client.query('SELECT 1'))
      await session.target(target.complete('COPY 1'), target.ready('I'))
      at = 0
      for (const end of [...cut.filter((n) => n < row.length), row.length]) {
        await session.target(row.subarray(at, end))
        at = end
        expect(session.carried).toBeLessThan(5)
      }
      await session.target(target.complete('SELECT 1'), target.ready('I'))
      expect(session.toClient.includes(row)).toBe(true)
      const sizes = session.guard.recorder.calls.flatMap((call) => (call[0] === 'result' ? [call[4]] : []))
      expect(sizes).toEqual([10 + 12 + 6, row.length + 14 + 6])
    }
  })
})

describe('a name stands for', () => {
  const seven = (): ScriptedSession => new ScriptedSession(reader)

  /** Parses `name` so that the target has it. */
  async function prepared(name: string, sql: string): Promise<ScriptedSession> {
    const session = seven()
    await session.client(client.parse(name, sql), client.sync)
    await session.target(target.parseComplete, target.ready('I'))
    return session
  }

  it('what it did before when a Parse of the same name fails', async () => {
    const session = await prepared('x', 'UPDATE t SET a = 1 WHERE b = 2')
    await session.client(client.parse('x', 'SELECT 1'), client.sync)
    await session.target(target.error('42P05', 'prepared statement "x" already exists'), target.ready('I'))
    session.guard.deny('update')
    await session.client(client.bind('', 'x'), client.execute(''), client.sync)
    expect(session.guard.recorder.texts('deny')).toEqual(['UPDATE t SET a = 1 WHERE b = 2'])
  })

  it('nothing that is certain while an earlier batch may still fail', async () => {
    const session = await prepared('x', 'UPDATE t SET a = 1 WHERE b = 2')
    session.guard.deny('update')
    // The Parse will fail, and the batch behind it runs all the same.
    await session.client(
      client.parse('x', 'SELECT 1'),
      client.sync,
      client.bind('', 'x'),
      client.execute(''),
      client.sync,
    )
    expect(sentByClient(session.toTarget).slice(2)).toEqual(['P x|SELECT 1', 'S'])
    expect(session.waits).toBe(true)
    await session.target(target.error('42P05', 'prepared statement "x" already exists'), target.ready('I'))
    expect(session.waits).toBe(false)
    expect(session.guard.recorder.texts('deny')).toEqual(['UPDATE t SET a = 1 WHERE b = 2'])
    expect(sentByClient(session.toTarget).at(-2)).toContain('sallyport_denied')
  })

  it('nothing that is certain for EXECUTE either', async () => {
    const session = await prepared('x', 'UPDATE t SET a = 1 WHERE b = 2')
    session.guard.deny('update')
    await session.client(client.parse('x', 'SELECT 1'), client.sync, client.query('EXECUTE x'))
    expect(session.guard.recorder.texts('permit')).not.toContain('EXECUTE x')
    await session.target(target.error('42P05', 'prepared statement "x" already exists'), target.ready('I'))
    expect(session.guard.recorder.texts('deny')).toEqual(['EXECUTE x'])
  })

  it('nothing that is certain for a portal that an earlier batch binds', async () => {
    const session = await prepared('x', 'UPDATE t SET a = 1 WHERE b = 2')
    await session.client(client.query('BEGIN'))
    await session.target(target.complete('BEGIN'), target.ready('T'))
    await session.client(client.bind('p', 'x'), client.parse('', 'SELECT 1'), client.sync)
    await session.target(target.bindComplete, target.parseComplete, target.ready('T'))
    await session.client(client.bind('p', ''), client.sync, client.execute('p'), client.sync)
    expect(session.waits).toBe(true)
    await session.target(target.error('42P03', 'portal "p" already exists'), target.ready('E'))
    expect(session.guard.recorder.calls.at(-1)).toEqual(['execute', 4, 1, '[]'])
  })

  it('the new statement when the batch is the same', async () => {
    const session = seven()
    await session.client(client.parse('x', 'SELECT 1'), client.bind('', 'x'), client.execute(''), client.sync)
    expect(session.waits).toBe(false)
    expect(sentByClient(session.toTarget)).toEqual(['P x|SELECT 1', 'B |x', 'E', 'S'])
  })

  it('the new statement once SQL has dropped the old one', async () => {
    const session = await prepared('x', 'SELECT 1')
    await session.client(client.query('DEALLOCATE x'))
    await session.target(target.complete('DEALLOCATE'), target.ready('I'))
    await session.client(client.query('PREPARE x AS UPDATE t SET a = 1'))
    await session.target(target.complete('PREPARE'), target.ready('I'))
    session.guard.deny('update')
    await session.client(client.query('EXECUTE x'))
    expect(session.guard.recorder.texts('deny')).toEqual(['EXECUTE x'])
  })

  it('what a PREPARE made that came through the extended protocol', async () => {
    const session = seven()
    await session.client(
      client.parse('', 'PREPARE x AS UPDATE t SET a = 1'),
      client.bind('', ''),
      client.execute(''),
      client.sync,
    )
    await session.target(
      target.parseComplete,
      target.bindComplete,
      target.complete('PREPARE'),
      target.ready('I'),
    )
    await session.client(client.query('EXECUTE x'))
    expect(session.guard.recorder.texts('permit')).toContain('EXECUTE x')
    session.guard.deny('update')
    await session.client(client.query('EXECUTE x'))
    expect(session.guard.recorder.texts('deny')).toEqual(['EXECUTE x'])
  })

  it('what it did before when a PREPARE fails', async () => {
    const session = await prepared('x', 'UPDATE t SET a = 1')
    await session.client(client.query('PREPARE x AS SELECT 1'))
    await session.target(target.error('42P05', 'prepared statement "x" already exists'), target.ready('I'))
    session.guard.deny('update')
    await session.client(client.query('EXECUTE x'))
    expect(session.guard.recorder.texts('deny')).toEqual(['EXECUTE x'])
  })

  it('nothing once it is closed', async () => {
    const session = await prepared('x', 'SELECT 1')
    await session.client(client.close('S', 'x'), client.bind('', 'x'), client.sync)
    expect(sentByClient(session.toTarget).slice(-2)).toEqual([`P ${UNKNOWN}|${UNKNOWN}`, 'S'])
  })

  it('nothing after DISCARD ALL', async () => {
    const session = await prepared('x', 'SELECT 1')
    await session.client(client.query('DISCARD ALL'))
    await session.target(target.complete('DISCARD ALL'), target.ready('I'))
    await session.client(client.query('EXECUTE x'))
    expect(session.guard.recorder.texts('deny')).toEqual(['EXECUTE x'])
  })

  it('one thing only: what the target would cut to another name is refused', async () => {
    const long = 'n'.repeat(63)
    const session = await prepared(long, 'SELECT 1')
    await session.client(client.parse(`${long}2`, 'SELECT 2'), client.sync)
    await session.client(client.close('S', `${long}2`), client.sync)
    expect(session.guard.recorder.texts('deny')).toHaveLength(2)
    const bad = message(
      FRONTEND.parse,
      Buffer.concat([Buffer.from([0xff, 0]), Buffer.from('SELECT 1\0\0\0')]),
    )
    await session.client(bad)
    expect(session.guard.recorder.texts('deny')).toHaveLength(3)
  })

  it('a portal up to the end of its transaction', async () => {
    const session = seven()
    await session.client(client.query('BEGIN'))
    await session.target(target.complete('BEGIN'), target.ready('T'))
    await session.client(client.parse('', 'SELECT 1'), client.bind('p', ''), client.sync)
    await session.target(target.parseComplete, target.bindComplete, target.ready('T'))
    await session.client(client.execute('p', 1), client.sync)
    await session.target(target.row('1'), target.portalSuspended, target.ready('T'))
    await session.client(client.query('COMMIT'))
    await session.target(target.complete('COMMIT'), target.ready('I'))
    await session.client(client.execute('p'), client.sync)
    expect(sentByClient(session.toTarget).slice(-2)).toEqual([`P ${UNKNOWN}|${UNKNOWN}`, 'S'])
  })
})

describe('a decision', () => {
  it('is asked for again when policies changed between Parse and Execute', async () => {
    const session = new ScriptedSession(reader)
    await session.client(client.parse('x', 'UPDATE t SET a = 1'), client.bind('', 'x'), client.sync)
    await session.target(target.parseComplete, target.bindComplete, target.ready('T'))
    session.guard.deny('update')
    await session.client(client.execute(''), client.sync)
    await session.target(complaint(2), target.ready('E'))
    expect(sentByClient(session.toTarget).at(-2)).toBe(`P ${marker(2)}|${marker(2)}`)
    expect(sentByTarget(session.toClient).at(-2)).toBe('E 42501 denied by policy: update is forbidden')
  })

  describe('on a Parse that comes again and again', () => {
    const update = [client.parse('', 'UPDATE t SET a = 1'), client.sync]

    async function permittedFourTimes(session: ScriptedSession): Promise<void> {
      for (let i = 0; i < 4; i++) {
        await session.client(...update)
        await session.target(target.parseComplete, target.ready('I'))
      }
      expect(session.guard.recorder.texts('permit')).toHaveLength(4)
    }

    it('is asked for again when policies changed', async () => {
      const session = new ScriptedSession(reader)
      await permittedFourTimes(session)
      session.guard.deny('update')
      await session.client(...update)
      expect(session.guard.recorder.texts('deny')).toEqual(['UPDATE t SET a = 1'])
      expect(sentByClient(session.toTarget).at(-2)).toContain('sallyport_denied')
    })

    it('is asked for again when a bare name came to mean something else', async () => {
      const session = new ScriptedSession(reader)
      session.guard.replaceCatalog(TWO_TABLES)
      session.guard.forbidden.add('shut.t')
      await permittedFourTimes(session)
      await session.client(client.query('SET search_path = shut'))
      await session.target(target.parameter('search_path', 'shut'), target.complete('SET'), target.ready('I'))
      await session.client(...update)
      expect(session.guard.recorder.texts('deny')).toEqual(['UPDATE t SET a = 1'])
    })
  })

  it('on a prepared EXECUTE covers what the name stands for when it runs', async () => {
    const session = new ScriptedSession(reader)
    await session.client(client.query('PREPARE x AS UPDATE t SET a = 1'))
    await session.target(target.complete('PREPARE'), target.ready('I'))
    await session.client(client.parse('run', 'EXECUTE x'), client.sync)
    await session.target(target.parseComplete, target.ready('I'))
    session.guard.deny('update')
    await session.client(client.bind('', 'run'), client.execute(''), client.sync)
    expect(session.guard.recorder.texts('deny')).toEqual(['EXECUTE x'])
  })

  it('on several EXECUTEs is no better than the worst of them', async () => {
    const session = new ScriptedSession(reader)
    await session.client(client.query('PREPARE x AS SELECT 1'))
    await session.target(target.complete('PREPARE'), target.ready('I'))
    await session.client(client.query('EXECUTE unheard_of; EXECUTE x'))
    expect(session.guard.recorder.texts('deny')).toEqual(['EXECUTE unheard_of; EXECUTE x'])
  })

  it('that may not be kept is asked for each time', async () => {
    const session = new ScriptedSession(reader)
    session.guard.reusable = false
    await session.client(client.query('UPDATE t SET a = 1'))
    session.guard.denied.add('update')
    await session.client(client.query('UPDATE t SET a = 1'))
    expect(session.guard.recorder.calls.map((call) => call[3])).toEqual(['permit', 'deny'])
  })

  it('is not imitated by an error that only looks like a denial', async () => {
    const session = new ScriptedSession(reader)
    await session.client(client.query('SELECT 1'))
    await session.target(complaint(1), target.ready('I'))
    expect(sentByTarget(session.toClient)[0]).toContain('E 42601')
  })
})

describe('a pipeline', () => {
  it('longer than the limit goes on as answers come, though no Sync has', async () => {
    const session = new ScriptedSession(reader)
    await session.client(client.parse('', 'SELECT 1'), client.sync)
    await session.target(target.parseComplete, target.ready('I'))
    await session.client(...Array.from({ length: MAX_IN_FLIGHT + 5 }, () => client.close('P', 'p')))
    expect(session.waits).toBe(true)
    await session.target(...Array.from({ length: 5 }, () => target.closeComplete))
    expect(session.waits).toBe(false)
    expect(session.held).toBe(0)
  })

  it('longer than the limit goes on after an error that skips it', async () => {
    const session = new ScriptedSession(reader)
    await session.client(client.parse('', 'SELECT nothing'))
    await session.target(target.error('42703', 'column "nothing" does not exist'))
    await session.client(
      ...Array.from({ length: 2 * MAX_IN_FLIGHT }, () => client.close('P', 'p')),
      client.sync,
    )
    expect(session.held).toBe(0)
    await session.target(target.ready('I'))
    await session.client(client.query('SELECT 1'))
    await session.target(...select, target.ready('I'))
    expect(session.guard.recorder.calls.at(-1)?.slice(0, 3)).toEqual(['result', 2, 'SELECT 1'])
  })

  it('longer than the limit goes on when the error comes late', async () => {
    const session = new ScriptedSession(reader)
    await session.client(client.parse('', 'SELECT nothing'))
    await session.client(
      ...Array.from({ length: MAX_IN_FLIGHT + 5 }, () => client.close('P', 'p')),
      client.sync,
    )
    expect(session.waits).toBe(true)
    await session.target(target.error('42703', 'column "nothing" does not exist'))
    expect(session.held).toBe(0)
    await session.target(target.ready('I'))
    expect(session.state.inFlight.size).toBe(0)
  })

  it('sends nothing of a batch behind what was replaced in it', async () => {
    const session = new ScriptedSession(reader)
    const { length } = session.toTarget
    await session.client(client.parse('', 'DROP TABLE t'), client.bind('', ''), client.query('SELECT 1'))
    await session.client(
      client.parse('', 'SELECT 2'),
      client.execute(''),
      client.sync,
      client.query('SELECT 3'),
    )
    expect(sentByClient(session.toTarget.subarray(length))).toEqual([
      `P ${marker(1)}|${marker(1)}`,
      'S',
      'Q SELECT 3',
    ])
    expect(session.guard.recorder.texts('permit')).toEqual(['SELECT 3'])
  })
})

describe('the session ends', () => {
  it.each([
    ['a message of an impossible length', Buffer.from([0x51, 0, 0, 0, 3])],
    ['a message of a negative length', Buffer.from([0x51, 0xff, 0xff, 0xff, 0xff])],
    ['a message of a type that is none', Buffer.from([0x01, 0, 0, 0, 4])],
    ['a password when none was asked for', message(FRONTEND.password, Buffer.from('x\0'))],
    ['a Query without its NUL', message(FRONTEND.query, Buffer.from('SELECT 1'))],
    ['an empty Query message', message(FRONTEND.query, Buffer.alloc(0))],
    ['a Parse that does not end', message(FRONTEND.parse, Buffer.from('x\0SELECT 1'))],
    ['a Bind that does not end', message(FRONTEND.bind, Buffer.from('x'))],
    ['a Bind with endless names', message(FRONTEND.bind, Buffer.alloc(5000, 'x'))],
    ['a Close that does not end', message(FRONTEND.close, Buffer.from('Sx'))],
    ['a Sync of a megabyte', message(FRONTEND.sync, Buffer.alloc(1_000_000))],
  ])('when the client sends %s', async (_, bytes) => {
    const session = new ScriptedSession(reader)
    await expect(session.client(bytes)).rejects.toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED' }))
    expect(session.toTarget).toHaveLength(0)
  })

  it('when the client sends a statement where COPY data belongs', async () => {
    const session = new ScriptedSession(reader)
    await session.client(client.query('COPY t FROM STDIN'), client.query('SELECT 1'))
    await expect(session.target(target.copyIn)).rejects.toThrow(
      expect.objectContaining({ code: 'WIRE_MALFORMED' }),
    )
  })

  it.each([
    ['an answer to nothing', target.complete('SELECT 1')],
    ['a confirmation of nothing', target.parseComplete],
    ['readiness for nothing', target.ready('I')],
    ['a message of an impossible length', Buffer.from([0x43, 0, 0, 0, 3])],
    ['a message of a type that is none', Buffer.from([0x01, 0, 0, 0, 4])],
    ['another authentication', message(0x52, Buffer.alloc(4))],
    ['a notice of 2 MB', message(0x4e, Buffer.alloc(2_000_000))],
    ['an unreadable setting', message(0x53, Buffer.from('x'))],
  ])('when the target sends %s', async (_, bytes) => {
    const session = new ScriptedSession(reader)
    await expect(session.target(bytes)).rejects.toThrow(SallyportError)
    expect(session.toClient).toHaveLength(0)
  })

  it.each([
    ['client_encoding', 'SQL_ASCII'],
    ['standard_conforming_strings', 'off'],
  ])('when %s changes, under which statements are read', async (name, value) => {
    const session = new ScriptedSession(reader)
    await expect(session.target(target.parameter(name, value))).rejects.toThrow(
      expect.objectContaining({ code: 'SESSION_ENDED' }),
    )
  })
})
