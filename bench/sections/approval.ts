import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Client, createClient } from '@sallyport/api'
import { residentKb } from '../measure/process-cost.ts'
import { WireClient } from '../measure/wire-client.ts'
import { number, progress, type SectionReport } from '../report.ts'
import type { Endpoint } from '../rig/endpoint.ts'
import { startGateway, TARGETS } from '../rig/gateway.ts'
import type { Rig } from '../rig/rig.ts'
import { ascending, quantile } from '../statistics.ts'

/** Approved one after the other. */
const CLICKS = 60
const WARM_UP = 5
/** Waiting at once, and how many of those are approved while the others go on waiting. */
const WAITING = 1000
const CLICKS_AMONG = 40
/** Opened at once: as many as a pool would. */
const OPENING = 50
/** Of somebody who has nothing to do with any of it. */
const SELECTS = 200

const YES = { reason: 'npm run bench' }
/** Deletes nothing, so that what is measured is the way to it. */
const statement = (n: number): string => `DELETE FROM pgbench_history WHERE tid = ${-1 - n}`

/** From the moment a person's decision is sent until the statement has been answered, with one and with 1,000 waiting. */
export async function approval(rig: Rig): Promise<SectionReport> {
  const { target, idp, options, interrupted } = rig
  const home = join(rig.home, '..', 'approval')
  const policies = fileURLToPath(new URL('../resources/approval.cedar', import.meta.url))
  await using gateway = await startGateway({
    home,
    target,
    idp,
    interrupted,
    profile: options.profile,
    policies,
  })
  const dba = createClient({ url: gateway.url, token: () => idp.token('dora') })
  const endpoint = await gateway.endpoint('gateway', TARGETS.onDemand)

  const alone = await clicks(dba, endpoint)
  progress(`approval: ${CLICKS} one after the other`)
  const before = residentKb(gateway.pid)
  const started = performance.now()
  const waiters = await many(endpoint)
  const running = waiters.map((client, n) => client.query(statement(n)))
  for (const one of running) one.catch(() => undefined)
  await untilWaiting(gateway.url, WAITING)
  const gathered = performance.now() - started
  const after = residentKb(gateway.pid)
  progress(`approval: ${WAITING} wait`)
  const others = await selects(endpoint)
  const among: number[] = []
  for (let n = 0; n < CLICKS_AMONG; n++) {
    const { approvals } = await dba.approvals.list({ state: 'pending', limit: 200 })
    const [one] = approvals
    const which = running.findIndex((_, i) => one?.summary === statement(i))
    if (one === undefined || which < 0) throw new Error('nothing waits that was asked')
    const clicked = performance.now()
    await Promise.all([dba.approvals.approve(one.id, YES), running[which]])
    among.push(performance.now() - clicked)
  }
  const leaving = performance.now()
  await Promise.all(waiters.map((client) => client.close()))
  await untilWaiting(gateway.url, 0)
  const left = performance.now() - leaving
  const row = (name: string, values: readonly number[]): string[] => [
    name,
    String(values.length),
    number(quantile(ascending(values), 0.5), 1),
    number(quantile(ascending(values), 0.99), 1),
  ]
  const median = quantile(ascending(alone), 0.5)
  return {
    tables: [
      {
        title: 'Approval: ms from the decision being sent to the statement being answered',
        columns: ['', 'n', 'p50', 'p99'],
        rows: [row('nothing else waits', alone), row(`${WAITING} wait`, among)],
        notes: [
          'with the decision stored, the catalog read anew, the approval used, the privilege granted and taken away',
        ],
      },
      {
        title: `${WAITING} sessions whose statement waits`,
        columns: ['', ''],
        rows: [
          ['s until all of them wait, connecting included', number(gathered / 1000, 1)],
          ['KiB more memory for each', number((after - before) / WAITING, 0)],
          ['ms p50 of another session’s SELECT 1', number(quantile(ascending(others), 0.5), 2)],
          ['s until all are withdrawn once their clients leave', number(left / 1000, 1)],
        ],
      },
    ],
    aims: [
      { what: 'decision to answer, p50', aim: '< 100 ms', got: `${number(median, 1)} ms`, met: median < 100 },
    ],
    raw: { alone, among, others, gathered, left },
  }
}

async function clicks(dba: Client, endpoint: Endpoint): Promise<number[]> {
  const client = await WireClient.open(endpoint)
  const took: number[] = []
  for (let n = -WARM_UP; n < CLICKS; n++) {
    const running = client.query(statement(n))
    const id = await oneWaiting(dba)
    const clicked = performance.now()
    await Promise.all([dba.approvals.approve(id, YES), running])
    if (n >= 0) took.push(performance.now() - clicked)
  }
  await client.close()
  return took
}

async function many(endpoint: Endpoint): Promise<WireClient[]> {
  const clients: WireClient[] = []
  while (clients.length < WAITING) {
    const some = Array.from({ length: OPENING }, () => WireClient.open(endpoint))
    clients.push(...(await Promise.all(some)))
  }
  return clients
}

async function selects(endpoint: Endpoint): Promise<number[]> {
  const client = await WireClient.open(endpoint)
  const took: number[] = []
  for (let n = 0; n < SELECTS; n++) {
    const began = performance.now()
    await client.query('SELECT 1')
    took.push(performance.now() - began)
  }
  await client.close()
  return took
}

/** The one that waits, as soon as one does and its preview is there. */
async function oneWaiting(dba: Client): Promise<string> {
  for (let tries = 0; tries < 2000; tries++) {
    const { approvals } = await dba.approvals.list({ state: 'pending', limit: 1 })
    const [one] = approvals
    // Nobody decides before there is something to look at.
    if (one !== undefined && (await dba.approvals.get(one.id)).preview !== undefined) return one.id
    await sleep(5)
  }
  throw new Error('nothing came to wait')
}

/** Until that many wait. */
async function untilWaiting(url: string, count: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const text = await (await fetch(`${url}/metrics`)).text()
    if (Number(/^sallyport_approvals_pending (\d+)$/m.exec(text)?.[1]) === count) return
    await sleep(100)
  }
  throw new Error(`${count} requests did not come to wait`)
}
