import { number, progress, type SectionReport } from '../report.ts'
import { startGateway } from '../rig/gateway.ts'
import type { Rig } from '../rig/rig.ts'
import { median, shuffled, spread } from '../statistics.ts'

/** From the start of the process until the PostgreSQL port takes a connection, on a data directory that was used before. */
export async function listening(rig: Rig): Promise<SectionReport> {
  const { target, idp, home, options, interrupted } = rig
  const store = new URL(target.server.url.reveal())
  store.pathname = '/store'
  const ways = [
    { name: 'store embedded, started with it', store: undefined, home },
    { name: 'store on a PostgreSQL that runs', store: store.href, home: `${home}-with-store` },
  ]
  const took = new Map<string, number[]>(ways.map(({ name }) => [name, []]))
  for (let round = -1; round < options.rounds; round++) {
    for (const way of shuffled(ways)) {
      await using gateway = await startGateway({ target, idp, interrupted, home: way.home, store: way.store })
      if (round >= 0) took.get(way.name)?.push(gateway.listeningAfterMs)
    }
    progress(`listening: round ${round + 1} of ${options.rounds}`)
  }
  const best = median(took.get(ways[1]?.name ?? '') ?? [])
  return {
    tables: [
      {
        title: 'Time to listening: ms from the start of the process',
        columns: ['', 'n', 'median', 'lowest', 'highest'],
        rows: [...took].map(([name, values]) => {
          const { median: middle, min, max } = spread(values)
          return [name, String(values.length), number(middle), number(min), number(max)]
        }),
        notes: ['policies compiled, TypeScript stripped of its types by Node, as from a checkout'],
      },
    ],
    aims: [
      { what: 'listening, store running', aim: '≤ 250 ms', got: `${number(best)} ms`, met: best <= 250 },
    ],
    raw: Object.fromEntries(took),
  }
}
