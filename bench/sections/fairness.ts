import { selectOnly } from '../measure/pgbench.ts'
import { WireClient } from '../measure/wire-client.ts'
import { number, progress, type SectionReport, shown } from '../report.ts'
import type { Endpoint } from '../rig/endpoint.ts'
import { TARGETS } from '../rig/gateway.ts'
import { type Rig, routes, startProxies } from '../rig/rig.ts'
import { median, pairedRatios, quantile, shuffled } from '../statistics.ts'

interface Measured {
  readonly route: string
  readonly beside: boolean
  readonly round: number
  readonly p50: number
  readonly p99: number
}

/** One client's small queries, alone and beside another one that reads a 200 MB result again and again. */
export async function fairness(rig: Rig): Promise<SectionReport> {
  const { rounds, seconds } = rig.options
  await using proxies = await startProxies(rig)
  const all = await routes(rig, proxies, TARGETS.onDemand)
  const measured: Measured[] = []
  for (let round = 0; round < rounds; round++) {
    for (const { endpoint } of shuffled(all)) {
      for (const beside of [false, true]) {
        const small = (): ReturnType<typeof selectOnly> =>
          selectOnly(rig.pgbench, endpoint, { mode: 'simple', clients: 1, seconds })
        const { latencies } = beside ? await besideBulk(endpoint, small) : await small()
        const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)]
        measured.push({ route: endpoint.name, beside, round, p50, p99 })
      }
    }
    progress(`fairness: round ${round + 1} of ${rounds}`)
  }
  const of = (route: string, beside: boolean, pick: (one: Measured) => number): number[] =>
    measured.filter((one) => one.route === route && one.beside === beside).map(pick)
  const p99 = (route: string): number[] => of(route, true, (m) => m.p99)
  const ratio = pairedRatios(p99('gateway'), p99('pgbouncer'))
  return {
    tables: [
      {
        title: 'Small queries beside a looping 200 MB result: ms, one client each',
        columns: ['', 'p50 alone', 'p99 alone', 'p50 beside', 'p99 beside', 'p99 / pgbouncer'],
        rows: all.map(({ endpoint: { name } }) => [
          name,
          number(median(of(name, false, (m) => m.p50)) / 1000, 2),
          number(median(of(name, false, (m) => m.p99)) / 1000, 2),
          number(median(of(name, true, (m) => m.p50)) / 1000, 2),
          number(median(p99(name)) / 1000, 2),
          name === 'gateway' ? shown(ratio) : '',
        ]),
      },
    ],
    aims: Number.isNaN(ratio.median)
      ? []
      : [
          {
            what: 'small p99 beside bulk / pgbouncer',
            aim: '≤ 1.25',
            got: shown(ratio),
            met: ratio.median <= 1.25,
          },
        ],
    raw: measured,
  }
}

async function besideBulk<T>(endpoint: Endpoint, work: () => Promise<T>): Promise<T> {
  const client = await WireClient.open(endpoint, 256 * 1024)
  const stopping = new AbortController()
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) await client.query('SELECT * FROM wide')
  }
  const looping = loop()
  try {
    return await work()
  } finally {
    stopping.abort()
    await looping
    await client.close()
  }
}
