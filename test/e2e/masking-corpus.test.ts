import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { isDenied, legible, type Way, WireCapture } from '../harness/wire-capture.ts'

/** Attempts to get a masked value out, gathered by somebody else; not part of this project. */
const CORPUS = join(import.meta.dirname, '../../../shared/corpus/masking_bypass.json')

interface Case {
  readonly id: string
  readonly dialect: string
  readonly class: string
  readonly sql: string | readonly string[]
  readonly expected: 'mask' | 'deny' | 'allow'
  readonly witness: string
  readonly wire?: string
  readonly bg?: string
}

interface Corpus {
  readonly policy: { readonly sensitive_columns: Readonly<Record<string, readonly string[]>> }
  readonly schema: { readonly postgresql: string }
  readonly cases: readonly Case[]
}

const corpus = existsSync(CORPUS) ? (JSON.parse(readFileSync(CORPUS, 'utf8')) as Corpus) : undefined
const cases = (corpus?.cases ?? []).filter(({ dialect }) => dialect === 'postgresql')

const POLICIES = `
@id("agents-read-mostly")
permit (
  principal,
  action in [
    Action::"connect", Action::"read", Action::"copyOut", Action::"set", Action::"listen",
    Action::"insert", Action::"update", Action::"delete"
  ],
  resource in Target::"other"
);
`

function classification({ policy }: Corpus): string {
  const fields = Object.entries(policy.sensitive_columns).flatMap(([table, columns]) =>
    columns.map((column) => ({ field: `public.${table}.${column}`, class: 'pii.sensitive' })),
  )
  return [
    { kind: 'Classification', target: 'other', fields },
    { kind: 'DataClass', name: 'pii', mask: 'redact' },
  ]
    .map((document) => JSON.stringify(document))
    .join('\n---\n')
}

const messages = ({ sql }: Case): readonly string[] => (typeof sql === 'string' ? [sql] : sql)
const way = ({ wire }: Case): Way => (wire === 'binary' || wire === 'portal' ? wire : 'simple')

describe.skipIf(corpus === undefined)('attempts to get a masked value out', () => {
  let world: TestGateway
  beforeAll(async () => {
    if (corpus === undefined) return
    world = await startTestGateway({
      policies: POLICIES,
      files: { 'classes.yaml': classification(corpus) },
      prepare: async (superuser, target) => {
        await superuser.query('CREATE ROLE app; CREATE ROLE dba SUPERUSER')
        const other = await target.client('other')
        await other.query(corpus.schema.postgresql.replaceAll('lab_t', 'other'))
        await other.query(`
          GRANT USAGE, CREATE ON SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
          GRANT ALL ON ALL TABLES IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
          GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION;
          GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO sallyport_issuer WITH GRANT OPTION`)
        await other.end()
      },
    })
  })
  afterAll(() => world[Symbol.asyncDispose]())

  async function connect(): Promise<WireCapture> {
    const { secret } = await world.access.ticket('ana', { target: 'other' })
    return WireCapture.connect(world.access.address.port, 'ana', 'other', secret)
  }

  test.each(cases.filter(({ expected }) => expected !== 'allow').map((one) => [one.id, one] as const))(
    '%s',
    async (_, one) => {
      using capture = await connect()
      let denied = false
      for (const sql of messages(one)) {
        denied = isDenied(await capture.run(sql, way(one))) || denied
        if (capture.isClosed) break
      }
      // Somebody who learns nothing but that it was denied cannot tell a value from it.
      if (!denied) expect(legible(capture.frames)).not.toMatch(new RegExp(one.witness))
      if (one.expected === 'deny') expect({ denied }).toEqual({ denied: true })
      const seen = legible(capture.frames.filter(({ type }) => type !== 'E'))
      if (denied && !/^(?:\.\*|\\d|9|\\b1\\b)$/.test(one.witness))
        expect(seen).not.toMatch(new RegExp(one.witness))
    },
  )

  test.each(cases.filter(({ expected }) => expected === 'allow').map((one) => [one.id, one] as const))(
    '%s is answered byte for byte as without a gateway',
    async (_, one) => {
      using through = await connect()
      const direct = await world.target.client('other')
      try {
        for (const sql of messages(one)) {
          const got = await through.run(sql, way(one))
          const { rows } = await direct.query({
            text: sql,
            rowMode: 'array',
            types: { getTypeParser: () => String },
          })
          expect(isDenied(got)).toBe(false)
          expect(
            legible(got.filter(({ type }) => type === 'D'))
              .split('\n')
              .filter((line) => line.startsWith('[')),
          ).toEqual(rows.map((row: unknown) => JSON.stringify(row)))
        }
      } finally {
        await direct.end()
      }
    },
  )
})
