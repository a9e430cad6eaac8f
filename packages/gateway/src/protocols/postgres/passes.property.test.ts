import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { SallyportError } from '../../access/errors.ts'
import { MAX_BACKEND_MESSAGE } from './backend.ts'
import { MAX_STATEMENT } from './frontend-bounds.ts'
import { directReader } from './guard.fixture.ts'
import { MAX_IN_FLIGHT } from './in-flight.ts'
import { message } from './messages.ts'
import { ScriptedSession } from './script.fixture.ts'
import type { SqlReader } from './statement-cache.ts'
import { client, frames, target } from './wire.fixture.ts'

let reader: SqlReader
beforeAll(async () => {
  reader = await directReader()
})

const sql = fc.constantFrom(
  'SELECT 1',
  'SELECT $1',
  'DROP TABLE t',
  'DELETE FROM t',
  'COPY t FROM STDIN',
  'COPY t TO STDOUT',
  '',
  'PREPARE a AS SELECT 1',
  'PREPARE a AS DELETE FROM t',
  'EXECUTE a',
  'DEALLOCATE ALL',
  'not SQL',
  'BEGIN',
  'SELECT 1; EXECUTE b',
  'SELECT 1; DROP TABLE t',
  `SELECT 'a\0b'`,
  'SET standard_conforming_strings = off',
)
const name = fc.constantFrom('', 'a', 'b', 'n'.repeat(70))

const fromClient: fc.Arbitrary<Buffer> = fc.oneof(
  sql.map((text) => client.query(text)),
  fc.tuple(name, sql).map(([as, text]) => client.parse(as, text)),
  fc.tuple(name, name).map(([portal, statement]) => client.bind(portal, statement, ['x', null])),
  fc.nat(20_000).map((size) => client.bind('', '', ['x'.repeat(size)])),
  name.map((portal) => client.execute(portal)),
  fc.tuple(fc.constantFrom<'S' | 'P'>('S', 'P'), name).map(([kind, what]) => client.close(kind, what)),
  name.map((portal) => client.describe('P', portal)),
  fc.constantFrom(client.sync, client.flush, client.copyDone, client.functionCall, client.copyFail('x')),
  fc.nat(20_000).map((size) => client.copyData('d'.repeat(size))),
  fc.constant(client.terminate),
)

/** With types and lengths that are none, and bodies that do not fit. */
const broken: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .tuple(fc.nat(255), fc.uint8Array({ maxLength: 40 }))
    .map(([type, body]) => message(type, Buffer.from(body))),
  fc
    .tuple(fc.constantFrom(...Array.from('QPBECSdcfHX')), fc.uint8Array({ maxLength: 40 }))
    .map(([type, body]) => message(type.charCodeAt(0), Buffer.from(body))),
  fc.uint8Array({ maxLength: 40 }).map((data) => Buffer.from(data)),
  fc.tuple(fromClient, fc.nat(), fc.nat(255)).map(([whole, at, byte]) => {
    const mutated = Buffer.from(whole)
    mutated[at % mutated.length] = byte
    return mutated
  }),
)

const answers: fc.Arbitrary<Buffer> = fc.oneof(
  fc.constantFrom(
    target.parseComplete,
    target.bindComplete,
    target.closeComplete,
    target.ready('I'),
    target.ready('T'),
    target.complete('SELECT 1'),
    target.complete('PREPARE'),
    target.complete('COPY 1'),
    target.copyIn,
    target.error('42601', 'no'),
    target.portalSuspended,
    target.emptyQuery,
    target.row('1'),
    target.noData,
  ),
  fc.uint8Array({ maxLength: 30 }).map((data) => Buffer.from(data)),
)

type Turn = { readonly from: 'client' | 'target'; readonly bytes: Buffer; readonly chunk: number }

const turns = (hostile: boolean): fc.Arbitrary<readonly Turn[]> =>
  fc.array(
    fc.oneof(
      fc.record({
        from: fc.constant('client' as const),
        bytes: fc
          .array(hostile ? fc.oneof(fromClient, broken) : fromClient, { minLength: 1, maxLength: 6 })
          .map((parts) => Buffer.concat(parts)),
        chunk: fc.integer({ min: 3, max: 5000 }),
      }),
      fc.record({
        from: fc.constant('target' as const),
        bytes: fc.array(answers, { minLength: 1, maxLength: 4 }).map((parts) => Buffer.concat(parts)),
        chunk: fc.integer({ min: 1, max: 200 }),
      }),
    ),
    { maxLength: 12 },
  )

async function survive(conversation: readonly Turn[]): Promise<ScriptedSession> {
  const session = new ScriptedSession(reader)
  try {
    for (const { from, bytes, chunk } of conversation) {
      for (let at = 0; at < bytes.length; at += chunk) {
        if (from === 'client') await session.client(bytes.subarray(at, at + chunk))
        else await session.target(bytes.subarray(at, at + chunk))
        expect(session.carried).toBeLessThanOrEqual(MAX_BACKEND_MESSAGE)
        expect(session.state.inFlight.size).toBeLessThanOrEqual(MAX_IN_FLIGHT)
        if (!session.waits) expect(session.held).toBeLessThanOrEqual(MAX_STATEMENT)
      }
    }
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error
  }
  return session
}

describe('whatever both sides send', () => {
  it('no statement is forwarded that was not recorded as permitted', async () => {
    await fc.assert(
      fc.asyncProperty(turns(true), async (conversation) => {
        const session = await survive(conversation)
        expect(session.undecided()).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('every message that is forwarded is one of the client, or stands for a denied one', async () => {
    await fc.assert(
      fc.asyncProperty(turns(false), async (conversation) => {
        const session = await survive(conversation)
        const sent = Buffer.concat(
          conversation.flatMap(({ from, bytes }) => (from === 'client' ? [bytes] : [])),
        )
        const originals = frames(sent).map(({ type, body }) => type + body.toString('hex'))
        let next = 0
        for (const { type, body } of frames(session.toTarget)) {
          if (/^sallyport_(denied|unknown)_/.test(body.toString('latin1'))) continue
          const found = originals.indexOf(type + body.toString('hex'), next)
          expect(found).toBeGreaterThanOrEqual(next)
          next = found + 1
        }
      }),
      { numRuns: 200 },
    )
  })

  it('each execution is of a statement that was permitted', async () => {
    await fc.assert(
      fc.asyncProperty(turns(false), async (conversation) => {
        const session = await survive(conversation)
        const permitted = new Set<number>()
        for (const call of session.guard.recorder.calls) {
          if (call[0] === 'statement' && call[3] === 'permit') permitted.add(call[1])
          if (call[0] === 'execute') expect(permitted.has(call[2])).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('on bytes that are no messages', () => {
  it.each(['client', 'target'] as const)('of the %s nothing is thrown but a SallyportError', async (from) => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 50 }),
        async (data, chunk) => {
          const session = await survive([{ from, bytes: Buffer.from(data), chunk }])
          expect(session.undecided()).toEqual([])
        },
      ),
      { numRuns: 300 },
    )
  })
})
