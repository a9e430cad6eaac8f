import { setTimeout as sleep } from 'node:timers/promises'
import { WireClient } from '../measure/wire-client.ts'
import { type Aim, number, progress, type SectionReport, shown } from '../report.ts'
import type { Endpoint } from '../rig/endpoint.ts'
import { TARGETS } from '../rig/gateway.ts'
import { type Proxies, type Rig, startProxies } from '../rig/rig.ts'
import { ascending, pairedRatios, quantile, shuffled } from '../statistics.ts'

const AT_ONCE = 50
/** Opened one after the other, per route: at least. */
const MIN_OPENS = 100
/** Between two opens: the roles of the last one are taken away, the next lease is made ready. */
const PAUSE_MS = 20
const WARM_UP = 10

/** From `connect` to the first ReadyForQuery, with a client that does nothing else. */
export async function opening(rig: Rig): Promise<SectionReport> {
  const { rounds } = rig.options
  await using proxies = await startProxies(rig)
  const single = await endpoints(rig, proxies)
  const many = [...single, await proxies.gateway.endpoint('gateway, 50 prewarmed', TARGETS.prewarmed50)]

  const opens = new Map<string, number[]>(single.map(({ name }) => [name, []]))
  const count = Math.max(MIN_OPENS, rounds * 20)
  for (let i = -WARM_UP; i < count; i++) {
    for (const endpoint of shuffled(single)) {
      const ms = await openOne(endpoint)
      if (i >= 0) opens.get(endpoint.name)?.push(ms)
      await sleep(PAUSE_MS)
    }
    if (i > 0 && i % 50 === 0) progress(`opening: ${i} of ${count}`)
  }

  const rates = new Map<string, number[]>(many.map(({ name }) => [name, []]))
  const together = new Map<string, number[]>(many.map(({ name }) => [name, []]))
  for (let round = -1; round < rounds; round++) {
    for (const endpoint of shuffled(many)) {
      const { perSecond, each } = await openMany(endpoint)
      if (round < 0) continue
      rates.get(endpoint.name)?.push(perSecond)
      together.get(endpoint.name)?.push(...each)
    }
    progress(`opening ${AT_ONCE} at once: round ${round + 1} of ${rounds}`)
  }
  return report(opens, rates, together)
}

async function endpoints(rig: Rig, { gateway, pgbouncer }: Proxies): Promise<Endpoint[]> {
  return [
    rig.target.direct,
    rig.target.directUnstretched,
    ...(pgbouncer === undefined ? [] : [pgbouncer.endpoint]),
    await gateway.endpoint('gateway, on demand', TARGETS.onDemand),
    await gateway.endpoint('gateway, prewarmed', TARGETS.prewarmed),
  ]
}

async function openOne(endpoint: Endpoint): Promise<number> {
  const started = performance.now()
  const client = await WireClient.open(endpoint)
  const took = performance.now() - started
  await client.close()
  return took
}

async function openMany(endpoint: Endpoint): Promise<{ perSecond: number; each: number[] }> {
  const each: number[] = []
  const started = performance.now()
  const clients = await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const client = await WireClient.open(endpoint)
      each.push(performance.now() - started)
      return client
    }),
  )
  const perSecond = (AT_ONCE / (performance.now() - started)) * 1000
  await Promise.all(clients.map((client) => client.close()))
  await sleep(1500)
  return { perSecond, each }
}

function report(
  opens: ReadonlyMap<string, readonly number[]>,
  rates: ReadonlyMap<string, readonly number[]>,
  together: ReadonlyMap<string, readonly number[]>,
): SectionReport {
  const at = (name: string, q: number): number => quantile(ascending(opens.get(name) ?? []), q)
  const direct = rates.get('direct') ?? []
  return {
    tables: [
      {
        title: 'Opening a session, one at a time: ms from connect to ReadyForQuery',
        columns: ['', 'n', 'p50', 'p99', 'p50 − direct', 'p50 − unstretched'],
        rows: [...opens].map(([name, values]) => [
          name,
          String(values.length),
          number(at(name, 0.5), 2),
          number(at(name, 0.99), 2),
          number(at(name, 0.5) - at('direct', 0.5), 2),
          number(at(name, 0.5) - at('direct, no stretching', 0.5), 2),
        ]),
        notes: [
          'direct: SCRAM with 4,096 iterations, which are the client’s work; "no stretching": with one iteration',
          'pgbouncer: SCRAM too, and it keeps the server connection of the session before',
        ],
      },
      {
        title: `Opening ${AT_ONCE} sessions at once`,
        columns: ['', 'sessions/s', '/ direct', 'p50 ms', 'p99 ms'],
        rows: [...rates].map(([name, values]) => {
          const each = ascending(together.get(name) ?? [])
          const middle = quantile(ascending(values), 0.5)
          const ratio = name === 'direct' ? '' : shown(pairedRatios(values, direct))
          return [name, number(middle), ratio, number(quantile(each, 0.5)), number(quantile(each, 0.99))]
        }),
        notes: ['the client is one process: its SCRAM is part of what limits the direct rate'],
      },
    ],
    aims: aims(at, rates),
    raw: {
      opens: Object.fromEntries(opens),
      rates: Object.fromEntries(rates),
      together: Object.fromEntries(together),
    },
  }
}

function aims(at: (name: string, q: number) => number, rates: ReadonlyMap<string, readonly number[]>): Aim[] {
  const difference = (name: string, q: number): number => at(name, q) - at('direct', q)
  const onDemand = difference('gateway, on demand', 0.5)
  const late = difference('gateway, on demand', 0.99)
  const warm = at('gateway, prewarmed', 0.5)
  const ratio = pairedRatios(rates.get('gateway, on demand') ?? [], rates.get('direct') ?? [])
  return [
    {
      what: 'lease on demand, p50 over direct',
      aim: '≤ 0.5 ms',
      got: `${number(onDemand, 2)} ms`,
      met: onDemand <= 0.5,
    },
    { what: 'lease on demand, p99 over direct', aim: '≤ 3 ms', got: `${number(late, 2)} ms`, met: late <= 3 },
    { what: 'prewarmed open, p50', aim: '≤ 1 ms', got: `${number(warm, 2)} ms`, met: warm <= 1 },
    { what: '50 at once, on demand / direct', aim: '≥ 0.9', got: shown(ratio), met: ratio.median >= 0.9 },
  ]
}
