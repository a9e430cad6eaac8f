import { selectOnly } from '../measure/pgbench.ts'
import { cpuOf, untilQuiet } from '../measure/process-cost.ts'
import type { PgbenchMode } from '../options.ts'
import { type Aim, number, progress, type SectionReport, shown, type Table } from '../report.ts'
import { TARGETS } from '../rig/gateway.ts'
import { type Rig, type Route, routes, startProxies } from '../rig/rig.ts'
import { median, pairedRatios, quantile, shuffled } from '../statistics.ts'

/** A gateway runs for weeks: what its code costs before it is compiled is not what is asked for. */
const WARM_UP_S = 3

interface Measured {
  readonly route: string
  readonly mode: PgbenchMode
  readonly clients: number
  readonly round: number
  readonly tps: number
  readonly p50: number
  readonly p99: number
  /** Microseconds per query: of the proxy, its part outside of the kernel, and of the gateway's store. */
  readonly cpu: number
  readonly user: number
  readonly store: number
}

/** pgbench's select-only script through every route: one statement that hits an index, and returns one number. */
export async function throughput(rig: Rig): Promise<SectionReport> {
  const { modes, clients, rounds, seconds } = rig.options
  await using proxies = await startProxies(rig)
  const all = await routes(rig, proxies, TARGETS.onDemand)
  const cases = modes.flatMap((mode) => clients.map((count) => ({ mode, clients: count })))
  const measured: Measured[] = []
  progress('throughput: warming up')
  for (const mode of modes) {
    for (const { endpoint } of all)
      await selectOnly(rig.pgbench, endpoint, { mode, clients: 8, seconds: WARM_UP_S })
  }
  for (const { pids, storePids } of all) await untilQuiet(() => [...pids, ...storePids()])
  for (let round = 0; round < rounds; round++) {
    for (const one of shuffled(cases)) {
      for (const route of shuffled(all)) {
        measured.push(await measure(rig.pgbench, route, { ...one, round, seconds }))
      }
    }
    progress(`throughput: round ${round + 1} of ${rounds}`)
  }
  const names = all.map((route) => route.endpoint.name)
  return {
    tables: modes.map((mode) => table(mode, clients, names, measured)),
    aims: aims(measured),
    raw: measured,
  }
}

async function measure(
  pgbench: string,
  { endpoint, pids, storePids }: Route,
  run: {
    readonly mode: PgbenchMode
    readonly clients: number
    readonly round: number
    readonly seconds: number
  },
): Promise<Measured> {
  const before = { proxy: cpuOf(pids), store: cpuOf(storePids()) }
  const { tps, latencies, count } = await selectOnly(pgbench, endpoint, run)
  // What is put off is work for these queries all the same.
  if (pids.length > 0) await untilQuiet(() => [...pids, ...storePids()])
  const after = { proxy: cpuOf(pids), store: cpuOf(storePids()) }
  const isProxy = pids.length > 0
  return {
    route: endpoint.name,
    mode: run.mode,
    clients: run.clients,
    round: run.round,
    tps,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cpu: isProxy ? (after.proxy.total - before.proxy.total) / count : Number.NaN,
    user: isProxy ? (after.proxy.user - before.proxy.user) / count : Number.NaN,
    store: storePids().length > 0 ? (after.store.total - before.store.total) / count : Number.NaN,
  }
}

function table(
  mode: PgbenchMode,
  clients: readonly number[],
  names: readonly string[],
  measured: readonly Measured[],
): Table {
  const rows = clients.flatMap((count) => {
    const of = (route: string, pick: (one: Measured) => number): number[] =>
      measured.filter((m) => m.route === route && m.mode === mode && m.clients === count).map(pick)
    return names.map((name) => {
      const tps = of(name, (m) => m.tps)
      const ratio = (base: string): string =>
        name === base
          ? ''
          : shown(
              pairedRatios(
                tps,
                of(base, (m) => m.tps),
              ),
            )
      const middle = (pick: (one: Measured) => number, digits = 0): string =>
        number(median(of(name, pick)), digits)
      return [
        `${count} ${name}`,
        middle((m) => m.tps),
        ratio('direct'),
        name === 'direct' ? '' : ratio('pgbouncer'),
        middle((m) => m.p50),
        middle((m) => m.p99),
        middle((m) => m.cpu, 1),
        middle((m) => m.user, 1),
        middle((m) => m.store, 1),
      ]
    })
  })
  return {
    title: `pgbench -S -M ${mode}`,
    columns: [
      'clients',
      'tps',
      '/ direct',
      '/ pgbouncer',
      'p50 µs',
      'p99 µs',
      'CPU µs/query',
      'user',
      'store',
    ],
    rows,
    notes: [
      'ratios: median of same-round pairs (lowest–highest); CPU of the proxy process with all its threads',
    ],
  }
}

function aims(measured: readonly Measured[]): Aim[] {
  const of = (route: string, clients: number, pick: (one: Measured) => number): number[] =>
    measured.filter((m) => m.route === route && m.clients === clients).map(pick)
  return [
    { clients: 8, tps: 0.95, cpu: 1.5 },
    { clients: 32, tps: 0.85, cpu: 1.8 },
  ].flatMap(({ clients, tps, cpu }) => {
    const rate = pairedRatios(
      of('gateway', clients, (m) => m.tps),
      of('pgbouncer', clients, (m) => m.tps),
    )
    const cost = pairedRatios(
      of('gateway', clients, (m) => m.cpu),
      of('pgbouncer', clients, (m) => m.cpu),
    )
    if (Number.isNaN(rate.median)) return []
    return [
      {
        what: `tps / pgbouncer, ${clients} clients, all modes`,
        aim: `≥ ${tps}`,
        got: shown(rate),
        met: rate.median >= tps,
      },
      {
        what: `CPU per query / pgbouncer, ${clients} clients`,
        aim: `≤ ${cpu}`,
        got: shown(cost),
        met: cost.median <= cpu,
      },
    ]
  })
}
