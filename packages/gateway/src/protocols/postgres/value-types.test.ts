import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTargetPostgres, type TargetPostgres } from '../../../../../test/harness/postgres.ts'
import { maskArrayBinary, maskArrayText } from './mask-array.ts'
import { emptyRecordBinary, emptyRecordText } from './mask-record.ts'
import { TEXT } from './binary-values.ts'
import { scalarOfOid, typeNamed, typeOfOid } from './value-types.ts'

let server: TargetPostgres
let client: pg.Client
beforeAll(async () => {
  server = await startTargetPostgres()
  client = await server.client()
  await client.query("SET timezone = 'UTC'")
})
afterAll(() => server.stop())

/** A value as PostgreSQL itself writes it in both formats. */
async function both(expression: string): Promise<{ text: string; binary: Buffer; oid: number }> {
  const text = await client.query<{ v: string }>({ text: `SELECT ${expression} AS v`, types: RAW })
  const oid = text.fields[0]?.dataTypeID ?? 0
  const send = await client.query<{ name: string }>(
    'SELECT typsend::text AS name FROM pg_type WHERE oid = $1',
    [oid],
  )
  const binary = await client.query<{ v: Buffer }>(`SELECT ${send.rows[0]?.name}(${expression}) AS v`)
  return { text: text.rows[0]?.v ?? '', binary: binary.rows[0]?.v ?? Buffer.alloc(0), oid }
}

const RAW = { getTypeParser: () => (value: unknown) => value } as unknown as pg.CustomTypesConfig

const VALUES: readonly string[] = [
  'true',
  'false',
  '0::int2',
  "'-32768'::int2",
  '32767::int2',
  '-1',
  '2147483647',
  "'-9223372036854775808'::int8",
  '0::oid',
  '4294967295::oid',
  ...[
    '0',
    '-0',
    '1',
    '0.1',
    '1e-5',
    '1e15',
    '123456789012345',
    '1e300',
    '-1.5',
    '1e-300',
    'NaN',
    '-Infinity',
  ].map((value) => `'${value}'::float8`),
  ...['0', '0.1', '1e6', '999999', '1e-5', '-3.25', 'Infinity', '16777216', '1.17549435e-38'].map(
    (value) => `'${value}'::float4`,
  ),
  ...[
    '0',
    '-0.00',
    '1',
    '10000',
    '9999',
    '0.0001',
    '12345.678900',
    '1e20',
    '-1e-20',
    '100000000.5',
    'NaN',
    '-Infinity',
  ].map((value) => `'${value}'::numeric`),
  "''::text",
  "'Zoë 😀'::text",
  "'a'::varchar(3)",
  "'ab'::char(5)",
  "'n'::name",
  "'<a/>'::xml",
  String.raw`'\x'::bytea`,
  String.raw`'\x00ff10'::bytea`,
  ...[
    '1970-01-01',
    '2000-01-01',
    '1999-12-31',
    '2024-02-29',
    '0001-01-01',
    '0044-03-15 BC',
    '4713-01-01 BC',
    '5874897-12-31',
    'infinity',
    '-infinity',
  ].map((value) => `'${value}'::date`),
  ...[
    '2000-01-01 00:00:00',
    '1999-12-31 23:59:59.999999',
    '2026-11-25 02:18:01.5',
    '0044-03-15 12:00:00 BC',
    '294276-12-31 23:59:59.999999',
    'infinity',
  ].flatMap((value) => [`'${value}'::timestamp`, `'${value}'::timestamptz`]),
  ...['00:00:00', '24:00:00', '12:34:56.789'].map((value) => `'${value}'::time`),
  ...['00:00:00+00', '12:34:56.789-03:30', '23:59:59+05:45:10'].map((value) => `'${value}'::timetz`),
  "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
  ...[
    '10.0.0.1',
    '10.0.0.0/8',
    '::1',
    '::',
    '2001:db8::ff00:42:8329',
    '::ffff:1.2.3.4',
    '1:2:3:4:5:6:7:8/64',
    '0:0:1::',
    '::1.2.3.4',
  ].map((value) => `'${value}'::inet`),
  ...['10.0.0.0/8', '192.168.1.1', '2001:db8::/32'].map((value) => `'${value}'::cidr`),
  `'{"a": [1, null]}'::json`,
  `'{"a": [1, null], "b": "é"}'::jsonb`,
]

describe('a value in binary', () => {
  it.each(VALUES)('%s reads and writes as PostgreSQL does', async (expression) => {
    const { text, binary, oid } = await both(expression)
    const type = scalarOfOid(oid)
    if (type === undefined) throw new Error(`type ${oid} is not known`)
    expect(type.binary.decode(binary, 0, binary.length)).toBe(text)
    expect(type.binary.encode(text).toString('hex')).toBe(binary.toString('hex'))
  })

  it('is never taken for one of another size', () => {
    for (const oid of [16, 20, 21, 23, 26, 700, 701, 869, 1082, 1083, 1114, 1184, 1266, 1700, 2950, 3802]) {
      const type = scalarOfOid(oid)
      expect(() => type?.binary.decode(Buffer.alloc(1, 9), 0, 0), `type ${oid}`).toThrow(RangeError)
    }
  })

  it('is made of no text that is none', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom(16, 20, 23, 701, 869, 1082, 1083, 1184, 1266, 1700, 2950),
        (text, oid) => {
          const codec = scalarOfOid(oid)?.binary
          let encoded: Buffer | undefined
          try {
            encoded = codec?.encode(text)
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError)
            return
          }
          if (encoded !== undefined) expect(codec?.decode(encoded, 0, encoded.length)).not.toBe('')
        },
      ),
      { numRuns: 2000 },
    )
  })
})

const ARRAYS: readonly string[] = [
  "'{}'::int4[]",
  "'{1,NULL,-3}'::int4[]",
  "'{{1,2},{3,NULL}}'::numeric[]",
  "'[0:1][-1:0]={{1,2},{3,4}}'::int8[]",
  String.raw`ARRAY['', 'null', 'NULL', NULL, 'a b', 'a,b', '{}', 'q"q', 'back\slash', E'line\nfeed', 'é😀']`,
  "ARRAY['2026-01-01'::date, NULL]",
  'ARRAY[true, false]',
  `ARRAY['{"a": "b"}'::jsonb]`,
]

describe('an array', () => {
  it.each(ARRAYS)('%s whose elements stay the same stays the same', async (expression) => {
    const { text, binary, oid } = await both(expression)
    const type = typeOfOid(oid)
    if (type.form !== 'array') throw new Error(`type ${oid} is no array`)
    expect(maskArrayText(text, type.element, (value) => value)).toBe(text)
    expect(maskArrayBinary(binary, 0, binary.length, (value) => value)?.toString('hex')).toBe(
      binary.toString('hex'),
    )
  })

  it.each(ARRAYS)('%s keeps its dimensions when its elements become NULL', async (expression) => {
    const { text, binary, oid } = await both(expression)
    const type = typeOfOid(oid)
    if (type.form !== 'array') throw new Error(`type ${oid} is no array`)
    const nulls = maskArrayText(text, type.element, () => null)
    const { rows } = await client.query(
      `SELECT array_dims(a) IS NOT DISTINCT FROM array_dims(${expression}) AS same, array_remove(array_agg(e), NULL) AS left
       FROM (SELECT $1::text[] AS a) x LEFT JOIN unnest(a) e ON true GROUP BY a`,
      [nulls],
    )
    expect(rows).toEqual([{ same: true, left: [] }])
    const masked = maskArrayBinary(binary, 0, binary.length, () => null)
    expect(masked?.subarray(8, 12).equals(binary.subarray(8, 12))).toBe(true)
  })

  it('of whatever texts is read as PostgreSQL wrote it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', ''))), {
          maxLength: 5,
        }),
        async (elements) => {
          const { rows } = await client.query<{ v: string }>({
            text: 'SELECT $1::text[]::text AS v',
            values: [elements],
          })
          const seen: string[] = []
          const text = rows[0]?.v ?? ''
          const element = scalarOfOid(25)
          if (element === undefined) throw new Error('text is not known')
          const again = maskArrayText(text, element, (value) => {
            seen.push(value)
            return value
          })
          expect(seen).toEqual(elements.filter((one) => one !== null))
          expect(again).toBe(text)
        },
      ),
      { numRuns: 100 },
    )
  })

  it.each(['', 'x', '{', '{1', '{1}}', '{"a}', '{,}', '[0:1]{1}', '1,2'])('%j is none', (text) => {
    expect(() => maskArrayText(text, { kind: 'text', binary: TEXT }, (v) => v)).toThrow(RangeError)
  })
})

describe('a row value', () => {
  it.each(['ROW()', 'ROW(1)', "ROW(1, 'a,b', NULL)", String.raw`ROW('q"q', 'back\slash', '(1,2)', '')`])(
    '%s keeps the number of its fields, and nothing in them',
    async (expression) => {
      const { text, binary } = await both(expression)
      const fields = binary.readInt32BE(0)
      expect(emptyRecordText(text)).toBe(`(${','.repeat(Math.max(0, fields - 1))})`)
      const empty = emptyRecordBinary(binary, 0, binary.length)
      expect(empty.length).toBe(4 + fields * 8)
      for (let field = 0; field < fields; field++) expect(empty.readInt32BE(8 + field * 8)).toBe(-1)
    },
  )
})

describe('a type by its name', () => {
  it.each([
    ['character varying(80)', 'text'],
    ['numeric(10,2)', 'numeric'],
    ['timestamp(3) with time zone', 'timestamp'],
    ['bigint', 'integer'],
  ])('%s holds %s', (name, kind) => {
    const type = typeNamed(name)
    expect(type.form === 'scalar' && type.type.kind).toBe(kind)
  })

  it('with brackets is an array, and an unknown one is anything', () => {
    expect(typeNamed('text[]').form).toBe('array')
    expect(typeNamed('numeric(10,2)[]').form).toBe('array')
    expect(typeNamed('mood').form).toBe('other')
    expect(typeOfOid(99_999).form).toBe('other')
  })
})
