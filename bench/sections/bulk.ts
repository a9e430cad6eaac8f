import { cpuOf, untilQuiet } from '../measure/process-cost.ts'
import { WireClient } from '../measure/wire-client.ts'
import { number, progress, type SectionReport, shown } from '../report.ts'
import { TARGETS } from '../rig/gateway.ts'
import { type Rig, routes, startProxies } from '../rig/rig.ts'
import { median, pairedRatios, shuffled, type Spread } from '../statistics.ts'

const CASES = [
  { name: 'SELECT wide rows', sql: 'SELECT * FROM wide' },
  { name: 'SELECT narrow rows', sql: 'SELECT * FROM narrow' },
  { name: 'COPY wide TO STDOUT', sql: 'COPY wide TO STDOUT' },
]
/** As large as a socket gives at once: the reader must not be what is measured. */
const READ_BYTES = 256 * 1024

interface Measured {
  readonly route: string
  readonly what: string
  readonly round: number
  readonly megabytes: number
  readonly perSecond: number
  /** Seconds of the proxy's processor per gigabyte. */
  readonly cpu: number
}

/** Results of 200 MB, read by a client that only counts the bytes. */
export async function bulk(rig: Rig): Promise<SectionReport> {
  await using proxies = await startProxies(rig)
  const all = await routes(rig, proxies, TARGETS.onDemand)
  const measured: Measured[] = []
  for (let round = -1; round < rig.options.rounds; round++) {
    for (const { name, sql } of shuffled(CASES)) {
      for (const { endpoint, pids } of shuffled(all)) {
        const client = await WireClient.open(endpoint, READ_BYTES)
        await untilQuiet(() => pids)
        const before = cpuOf(pids).total
        const started = performance.now()
        const bytes = await client.query(sql)
        const seconds = (performance.now() - started) / 1000
        const cpu = (cpuOf(pids).total - before) / 1e6 / (bytes / 1e9)
        await client.close()
        if (round < 0) continue
        const perSecond = bytes / 1e6 / seconds
        const none = pids.length === 0
        measured.push({
          route: endpoint.name,
          what: name,
          round,
          megabytes: bytes / 1e6,
          perSecond,
          cpu: none ? Number.NaN : cpu,
        })
      }
    }
    progress(`bulk: round ${round + 1} of ${rig.options.rounds}`)
  }
  return report(
    all.map((route) => route.endpoint.name),
    measured,
  )
}

function report(names: readonly string[], measured: readonly Measured[]): SectionReport {
  const of = (what: string, route: string, pick: (one: Measured) => number): number[] =>
    measured.filter((one) => one.what === what && one.route === route).map(pick)
  const ratio = (what: string, route: string, base: string): Spread =>
    pairedRatios(
      of(what, route, (m) => m.perSecond),
      of(what, base, (m) => m.perSecond),
    )
  const sizes = measured.map(({ what, megabytes }) => `${what} ${megabytes}`)
  if (new Set(sizes).size > CASES.length)
    throw new Error('the same result has not the same size on every route')
  return {
    tables: CASES.map(({ name }) => ({
      title: `${name}, ${number(measured.find(({ what }) => what === name)?.megabytes ?? Number.NaN)} MB`,
      columns: ['', 'MB/s', '/ direct', '/ pgbouncer', 'CPU s/GB'],
      rows: names.map((route) => [
        route,
        number(median(of(name, route, (m) => m.perSecond))),
        route === 'direct' ? '' : shown(ratio(name, route, 'direct')),
        route === 'gateway' ? shown(ratio(name, route, 'pgbouncer')) : '',
        number(median(of(name, route, (m) => m.cpu)), 2),
      ]),
    })),
    aims: CASES.map(({ name }) => {
      const got = ratio(name, 'gateway', 'direct')
      return { what: `${name} / direct`, aim: '≥ 1.0', got: shown(got), met: got.median >= 1 }
    }),
    raw: measured,
  }
}
