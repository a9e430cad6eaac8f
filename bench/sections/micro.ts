import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Verdict } from '../../packages/gateway/src/protocols/contract.ts'
import { Secret } from '../../packages/gateway/src/access/secret.ts'
import { shapeKey } from '../../packages/gateway/src/protocols/postgres/shape-key.ts'
import { Recordings } from '../../packages/gateway/src/recording/recordings.ts'
import type { SessionRecording } from '../../packages/gateway/src/recording/session-recording.ts'
import { Verdicts } from '../../packages/gateway/src/session/guard.ts'
import { openStore } from '../../packages/gateway/src/store/database.ts'
import { JournalIngest } from '../../packages/gateway/src/store/ingest.ts'
import { FileJournal } from '../../packages/gateway/src/store/journal.ts'
import { number, progress, type SectionReport } from '../report.ts'
import type { Rig } from '../rig/rig.ts'

const STATEMENT = 'SELECT abalance FROM pgbench_accounts WHERE aid = 123456;'
const VERDICT: Verdict = {
  permitted: true,
  policies: ['data-science-reads'],
  epoch: 1,
  reusable: true,
  json: '{"effect":"permit","policies":["data-science-reads"],"operations":["select public.pgbench_accounts"]}',
}
const STATEMENTS = 200_000
/** Statements of one turn of the event loop: what 1 and 8 clients send. */
const PER_TURN = [1, 8]

/** The parts of the hot path by themselves, in this process: processor time per statement. */
export async function micro(rig: Rig): Promise<SectionReport> {
  const rows: [string, number][] = [['verdict: shape of the statement, cached verdict', verdictCost()]]
  for (const perTurn of PER_TURN) {
    const cost = await recordingCost(rig, perTurn)
    rows.push([`recording: statement and result to the journal, ${perTurn} in a turn`, cost.journal])
    rows.push([`ingest: the same into the store, in the gateway, ${perTurn} in a turn`, cost.ingest])
    progress(`micro: recording, ${perTurn} in a turn`)
  }
  const costOf = (part: string): number => rows.find(([name]) => name.startsWith(part))?.[1] ?? Number.NaN
  const verdict = costOf('verdict')
  const recording = costOf('recording: statement and result to the journal, 8')
  return {
    tables: [
      {
        title: 'Parts by themselves: processor µs per statement',
        columns: ['', 'µs'],
        rows: rows.map(([name, cost]) => [name, number(cost, 2)]),
        notes: ['all threads of the process, kernel included; the store’s own processes are not in it'],
      },
    ],
    aims: [
      { what: 'cached verdict', aim: '≤ 1 µs', got: `${number(verdict, 2)} µs`, met: verdict <= 1 },
      {
        what: 'recording to the journal, 8 in a turn',
        aim: '≤ 2 µs',
        got: `${number(recording, 2)} µs`,
        met: recording <= 2,
      },
    ],
    raw: Object.fromEntries(rows),
  }
}

function verdictCost(): number {
  const cache = new Verdicts().for('bench', 1)
  // A new buffer each time, as from a socket, with another number each time.
  const messages = Array.from({ length: 1000 }, (_, i) =>
    Buffer.from(STATEMENT.replace('123456', String(i * 977))),
  )
  let hits = 0
  const pass = (): void => {
    for (const message of messages) {
      const shape = shapeKey(message, 0, message.length)
      if (shape === undefined) continue
      if (cache.get(shape) === undefined) cache.set(shape, VERDICT)
      else hits++
    }
  }
  for (let i = 0; i < 50; i++) pass()
  hits = 0
  const before = process.cpuUsage()
  for (let i = 0; i < 200; i++) pass()
  const used = process.cpuUsage(before)
  return (used.user + used.system) / hits
}

async function recordingCost(rig: Rig, perTurn: number): Promise<{ journal: number; ingest: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'sallyport-bench-journal-'))
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const url = new URL(rig.target.server.url.reveal())
  url.pathname = '/store'
  await using store = await openStore({ url: new Secret(url.href), log: quiet })
  const journal = new FileJournal({ dir })
  try {
    const recordings = new Recordings({ journal, log: quiet })
    const sessions = Array.from({ length: perTurn }, (_, i) => recordings.open(start(perTurn, i), false))
    await record(sessions, STATEMENTS / 10)
    const ingest = new JournalIngest({ store, journal, log: quiet })
    await ingest.drain()
    const written = await cost(() => record(sessions, STATEMENTS))
    const ingested = await cost(() => ingest.drain())
    for (const session of sessions) session.seal('client')
    return { journal: written / STATEMENTS, ingest: ingested / STATEMENTS }
  } finally {
    await journal.close()
    await rm(dir, { recursive: true, force: true })
  }
}

/** `count` statements and results, one of each per session and turn. */
async function record(sessions: readonly SessionRecording[], count: number): Promise<void> {
  for (let done = 0; done < count; done += sessions.length) {
    await new Promise<void>((resolve, reject) => {
      for (const session of sessions) {
        const number = session.statement(STATEMENT, VERDICT)
        session.result(number, 'SELECT 1', 1, 84, 312)
      }
      sessions[0]?.written({ recorded: resolve, unrecorded: reject })
    })
  }
}

async function cost(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function start(perTurn: number, i: number): Parameters<Recordings['open']>[0] {
  const principal = {
    kind: 'agent' as const,
    id: 'bench',
    issuer: '',
    subject: 'bench',
    groups: [],
    attributes: {},
  }
  return {
    id: `ses_bench${perTurn}x${i}at${Date.now()}`,
    principal,
    target: 'bench',
    via: 'postgres',
    purpose: undefined,
    clientName: undefined,
    clientSession: undefined,
    toolUseId: undefined,
    sourceIp: '127.0.0.1',
    leaseId: undefined,
    handle: undefined,
    startedAt: new Date(),
  }
}
