import { cpuOf, untilQuiet } from '../measure/process-cost.ts'
import { WireClient } from '../measure/wire-client.ts'
import { number, progress, type SectionReport, shown } from '../report.ts'
import { TARGETS } from '../rig/gateway.ts'
import { type Rig, startProxies } from '../rig/rig.ts'
import { median, pairedRatios, shuffled, type Spread } from '../statistics.ts'

/** `wide` has 204,000 rows of ten columns (rig/target.ts). */
const ROWS = 204_000
const CASES = [
  { name: 'SELECT, two of ten columns masked', sql: 'SELECT * FROM wide' },
  { name: 'COPY, two of ten columns masked', sql: 'COPY wide TO STDOUT' },
]
const READ_BYTES = 256 * 1024

interface Measured {
  readonly route: string
  readonly what: string
  readonly round: number
  readonly rowsPerSecond: number
  readonly megabytes: number
  /** Microseconds of the gateway's processor per row. */
  readonly cpu: number
}

/** Results of 200 MB of which two columns are masked, beside the same unmasked: rows count, for masks make them shorter. */
export async function masking(rig: Rig): Promise<SectionReport> {
  await using proxies = await startProxies(rig)
  const { gateway } = proxies
  const routes = [
    { endpoint: rig.target.direct, pids: [] },
    { endpoint: await gateway.endpoint('gateway', TARGETS.onDemand), pids: [gateway.pid] },
    { endpoint: await gateway.endpoint('gateway, masked', TARGETS.masked), pids: [gateway.pid] },
  ]
  const measured: Measured[] = []
  for (let round = -1; round < rig.options.rounds; round++) {
    for (const { name, sql } of shuffled(CASES)) {
      for (const { endpoint, pids } of shuffled(routes)) {
        const client = await WireClient.open(endpoint, READ_BYTES)
        await untilQuiet(() => pids)
        const before = cpuOf(pids).total
        const started = performance.now()
        const bytes = await client.query(sql)
        const seconds = (performance.now() - started) / 1000
        const cpu = pids.length === 0 ? Number.NaN : (cpuOf(pids).total - before) / ROWS
        await client.close()
        if (round < 0) continue
        measured.push({
          route: endpoint.name,
          what: name,
          round,
          rowsPerSecond: ROWS / seconds,
          megabytes: bytes / 1e6,
          cpu,
        })
      }
    }
    progress(`masking: round ${round + 1} of ${rig.options.rounds}`)
  }
  return report(
    routes.map(({ endpoint }) => endpoint.name),
    measured,
  )
}

function report(names: readonly string[], measured: readonly Measured[]): SectionReport {
  const of = (what: string, route: string, pick: (one: Measured) => number): number[] =>
    measured.filter((one) => one.what === what && one.route === route).map(pick)
  const ratio = (what: string, route: string, base: string): Spread =>
    pairedRatios(
      of(what, route, (m) => m.rowsPerSecond),
      of(what, base, (m) => m.rowsPerSecond),
    )
  const masked = 'gateway, masked'
  return {
    tables: CASES.map(({ name }) => ({
      title: name,
      columns: ['', 'rows/s', 'MB', '/ direct', '/ unmasked', 'CPU µs/row'],
      rows: names.map((route) => [
        route,
        number(median(of(name, route, (m) => m.rowsPerSecond))),
        number(median(of(name, route, (m) => m.megabytes))),
        route === 'direct' ? '' : shown(ratio(name, route, 'direct')),
        route === masked ? shown(ratio(name, route, 'gateway')) : '',
        number(median(of(name, route, (m) => m.cpu)), 2),
      ]),
    })),
    aims: CASES.map(({ name }) => {
      const got = ratio(name, masked, 'direct')
      return { what: `${name} / direct`, aim: '≥ 1.0', got: shown(got), met: got.median >= 1 }
    }),
    raw: measured,
  }
}
