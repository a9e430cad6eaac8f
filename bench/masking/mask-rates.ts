import { createHash } from 'node:crypto'
import type { MaskSpec, ValueKind } from '../../packages/gateway/src/access/masking.ts'
import { maskFor } from '../../packages/gateway/src/masking/mask-for.ts'
import { elapsed } from './elapsed.ts'

/** A row of eight columns, of which four are masked. */
interface MaskedRow {
  readonly name: string
  readonly columns: readonly {
    readonly spec?: MaskSpec
    readonly kind: ValueKind
    readonly of: (n: number) => string
  }[]
}

export interface MaskRate {
  readonly name: string
  readonly rowsPerSecond: number
  readonly microsecondsPerValue: number
}

const ROWS = 20_000
const keys = (purpose: string): Buffer => createHash('sha256').update(`bench ${purpose}`).digest()

const email = (n: number): string => `person${n}@mail${n % 7}.example.com`
const phone = (n: number): string => `+1 415 555 ${String(n % 10_000).padStart(4, '0')}`
const card = (n: number): string => `4111 1111 ${String(1000 + (n % 9000))} 1111`
const clear = { kind: 'text', of: (n: number): string => `product ${n}` } as const
const CLEAR = [clear, clear, clear, clear]
const partial = { method: 'partial', keep: 'last4' } as const

const CASES: readonly MaskedRow[] = [
  {
    name: 'partial, truncate, bucket, redact',
    columns: [
      { spec: { method: 'partial', keep: 'domain' }, kind: 'text', of: email },
      { spec: partial, kind: 'text', of: card },
      { spec: { method: 'bucket', size: 10_000 }, kind: 'integer', of: (n) => String(40_000 + n) },
      { spec: { method: 'redact' }, kind: 'text', of: (n) => `${n} Example Street` },
      ...CLEAR,
    ],
  },
  {
    name: 'partial × 4',
    columns: [
      ...[email, phone, card, phone].map((of) => ({ spec: partial, kind: 'text' as const, of })),
      ...CLEAR,
    ],
  },
  ...(['hash', 'token'] as const).flatMap((method) => [
    {
      name: `${method} × 4, texts`,
      columns: [
        ...[email, phone, card, (n: number) => `Ana Lima ${n}`].map((of) => ({
          spec: { method },
          kind: 'text' as const,
          of,
        })),
        ...CLEAR,
      ],
    },
    {
      name: `${method} × 4, texts that repeat`,
      columns: [
        ...[email, phone, card, (n: number) => `Ana Lima ${n}`].map((of) => ({
          spec: { method },
          kind: 'text' as const,
          of: (n: number) => of(n % 500),
        })),
        ...CLEAR,
      ],
    },
  ]),
]

/** How many rows a second the masks keep up with, by themselves: without reading and writing the wire. */
export function maskRates(): readonly MaskRate[] {
  return CASES.map(({ name, columns }) => {
    const rows = Array.from({ length: ROWS }, (_, n) => columns.map(({ of }) => of(n)))
    const masks = columns.map(({ spec }, i) =>
      spec === undefined ? undefined : maskFor({ name: `bench.${i}`, mask: spec }, keys),
    )
    const run = (): void => {
      for (const row of rows) {
        for (let i = 0; i < row.length; i += 1) masks[i]?.apply(row[i] ?? '', columns[i]?.kind ?? 'other')
      }
    }
    const seconds = elapsed(run) / 1e6
    return { name, rowsPerSecond: ROWS / seconds, microsecondsPerValue: (seconds * 1e6) / ROWS / 4 }
  })
}
