import { availableParallelism, freemem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { residentKb, untilQuiet } from '../measure/process-cost.ts'
import { WireClient } from '../measure/wire-client.ts'
import { number, progress, type SectionReport } from '../report.ts'
import { TARGETS } from '../rig/gateway.ts'
import { type Rig, type Route, routes, startProxies } from '../rig/rig.ts'
import { slope } from '../statistics.ts'

/** A PostgreSQL backend takes some 6 MB of its own; fewer sessions where 1,000 of them would not fit. */
const BACKEND_BYTES = 8 * 1024 * 1024
/** Opened at once, so that a thousand take seconds. */
const AT_ONCE = 2 * availableParallelism()

interface Point {
  readonly x: number
  /** KiB. */
  readonly y: number
}

/** Resident memory of the proxy while sessions that have sent one statement do nothing. */
export async function memory(rig: Rig): Promise<SectionReport> {
  const most = freemem() > 1000 * BACKEND_BYTES ? 1000 : 250
  await using proxies = await startProxies(rig)
  const proxied = (await routes(rig, proxies, TARGETS.onDemand)).filter((route) => route.pids.length > 0)
  const measured = new Map<string, Point[]>()
  // PgBouncer last: it keeps its connections to the target, and there are not enough for both.
  for (const route of proxied.toReversed()) measured.set(route.endpoint.name, await grow(route, most))
  const perConnection = (points: readonly Point[]): number => slope(points.filter(({ x }) => x > 0))
  return {
    tables: [
      {
        title: `Memory: resident MiB of the proxy with so many idle sessions`,
        columns: ['', ...steps(most).map(String), 'KiB/session'],
        rows: [...measured].map(([name, points]) => [
          name,
          ...points.map(({ y }) => number(y / 1024, 1)),
          number(perConnection(points), 1),
        ]),
        notes: [
          'each holds a connection of its own to the target; the gateway’s store is not counted',
          'a garbage-collected heap: what is not yet collected counts',
        ],
      },
    ],
    aims: [...measured]
      .filter(([name]) => name === 'gateway')
      .map(([, points]) => {
        const got = perConnection(points)
        return { what: 'idle session', aim: '≤ 5 KiB', got: `${number(got, 1)} KiB`, met: got <= 5 }
      }),
    raw: Object.fromEntries(measured),
  }
}

function steps(most: number): number[] {
  return [0, 0.1, 0.4, 0.7, 1].map((share) => share * most)
}

async function grow({ endpoint, pids, storePids }: Route, most: number): Promise<Point[]> {
  const clients: WireClient[] = []
  const points: Point[] = []
  try {
    for (const count of steps(most)) {
      while (clients.length < count) {
        const some = Math.min(AT_ONCE, count - clients.length)
        clients.push(...(await Promise.all(Array.from({ length: some }, () => WireClient.open(endpoint)))))
      }
      for (const client of clients) await client.query('SELECT abalance FROM pgbench_accounts WHERE aid = 1')
      await sleep(1000)
      await untilQuiet(() => [...pids, ...storePids()])
      points.push({ x: count, y: pids.reduce((sum, pid) => sum + residentKb(pid), 0) })
      progress(`memory: ${endpoint.name}, ${count} sessions`)
    }
  } finally {
    for (let at = 0; at < clients.length; at += AT_ONCE) {
      await Promise.all(clients.slice(at, at + AT_ONCE).map((client) => client.close()))
    }
  }
  return points
}
