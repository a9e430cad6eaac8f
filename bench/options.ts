import { parseArgs } from 'node:util'

/** What can be measured, in the order in which it is. */
export const SECTIONS = [
  'throughput',
  'opening',
  'bulk',
  'masking',
  'fairness',
  'memory',
  'approval',
  'listening',
  'micro',
] as const
export type SectionName = (typeof SECTIONS)[number]

export interface Options {
  /** How often everything is measured, in a new order each time. */
  readonly rounds: number
  /** Of each pgbench run. */
  readonly seconds: number
  readonly only: ReadonlySet<SectionName>
  /** Where the raw figures go as JSON; undefined: nowhere. */
  readonly json: string | undefined
  /** Where the gateway's CPU profiles go; undefined: none are made. They slow it down. */
  readonly profile: string | undefined
  readonly modes: readonly PgbenchMode[]
  readonly clients: readonly number[]
}

export const MODES = ['simple', 'extended', 'prepared'] as const
export type PgbenchMode = (typeof MODES)[number]

export const USAGE = `npm run bench -- [options]
  --rounds N       how often everything is measured; at least 5 for figures that are told to anybody (5)
  --seconds N      of each pgbench run (3)
  --only A,B       of: ${SECTIONS.join(', ')}
  --modes A,B      of: ${MODES.join(', ')}
  --clients N,N    for pgbench (1,8,32)
  --json FILE      the raw figures too
  --profile DIR    CPU profiles of the gateway, which slow it down`

/** @throws Error with what is wrong with them */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string', default: SECTIONS.join(',') },
      modes: { type: 'string', default: MODES.join(',') },
      clients: { type: 'string', default: '1,8,32' },
      json: { type: 'string' },
      profile: { type: 'string' },
    },
  })
  return {
    rounds: whole('--rounds', values.rounds),
    seconds: whole('--seconds', values.seconds),
    only: new Set(some('--only', values.only, SECTIONS)),
    modes: some('--modes', values.modes, MODES),
    clients: values.clients.split(',').map((text) => whole('--clients', text)),
    json: values.json,
    profile: values.profile,
  }
}

function whole(name: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new Error(`${name} takes a whole number from 1, not "${text}"`)
}

function some<T extends string>(name: string, text: string, known: readonly T[]): T[] {
  const asked = text.split(',')
  const unknown = asked.find((one) => !known.some((other) => other === one))
  if (unknown !== undefined) throw new Error(`${name} takes some of ${known.join(', ')}, not "${unknown}"`)
  return known.filter((one) => asked.includes(one))
}
