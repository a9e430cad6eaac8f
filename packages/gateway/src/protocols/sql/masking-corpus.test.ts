import { existsSync, readFileSync } from 'node:fs'
import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Catalog } from '../../access/catalog.ts'
import { catalogOf, columnOf, tableOf } from '../../access/catalog.fixture.ts'
import type { DataFlow, SourceColumn } from '../../access/data-flow.ts'
import { readSql } from './read.fixture.ts'
import type { SqlReading } from './reading.ts'

const CORPUS = new URL('../../../../../../shared/corpus/masking_bypass.json', import.meta.url)

interface Case {
  readonly id: string
  readonly dialect: string
  readonly class: string
  readonly sql: string | readonly string[]
  readonly expected: 'mask' | 'deny' | 'allow'
}

interface Corpus {
  readonly policy: { readonly sensitive_columns: Readonly<Record<string, readonly string[]>> }
  readonly cases: readonly Case[]
}

/** The schema that the cases were verified with. */
const CATALOG: Catalog = catalogOf(
  [
    tableOf('customers', ['id', 'name', 'email', 'ssn', 'card', 'notes', 'balance', 'created_at']),
    tableOf('employees', ['id', 'name', 'email', 'ssn', 'phone', 'salary', 'dob', 'manager_id'], {
      columns: 'id name email ssn phone salary dob manager_id profile tags photo'
        .split(' ')
        .map((name, n) => columnOf(name, n + 1)),
    }),
    tableOf('orders', ['id', 'customer_id', 'total', 'status', 'created_at']),
    tableOf('v_contact', ['ref', 'contact', 'code'], {
      kind: 'view',
      definition: 'SELECT id AS ref, email AS contact, ssn AS code FROM public.customers',
    }),
    tableOf('mv_customers', ['id', 'k'], {
      kind: 'materialized-view',
      definition: 'SELECT id, ssn AS k FROM public.customers',
    }),
    tableOf('region_part', ['ssn', 'v'], { kind: 'partitioned-table' }),
    tableOf('region_p1', ['ssn', 'v'], { parents: [{ schema: 'public', name: 'region_part' }] }),
    tableOf('pg_catalog.pg_stats', ['schemaname', 'tablename', 'most_common_vals', 'histogram_bounds']),
    tableOf('pg_catalog.pg_statistic', ['starelid', 'stavalues1']),
    tableOf('pg_catalog.pg_indexes', ['schemaname', 'tablename', 'indexname', 'indexdef']),
    tableOf('pg_catalog.pg_locks', ['locktype', 'objid']),
    tableOf('information_schema.columns', ['table_name', 'column_name']),
  ],
  {
    functions: ['get_code', 'get_code_imm', 'list_c', 'rc', 'noisy', 'dblink', 'crosstab'].map((name) => ({
      schema: 'public',
      name,
      kind: 'function',
      arguments: '',
      volatility: 'stable',
      returnsSet: false,
      securityDefiner: false,
      language: 'plpgsql',
    })),
  },
)

/** Actions that nobody is let do who only reads. */
const ACTS =
  /^(call|create|alter|drop|grant|revoke|set|notify|listen|insert|update|delete|truncate|merge|lock|maintain|copyIn)$/

beforeAll(() => loadModule())

describe.skipIf(!existsSync(CORPUS))('attempts to get round masks', () => {
  const corpus: Corpus = existsSync(CORPUS)
    ? JSON.parse(readFileSync(CORPUS, 'utf8'))
    : { policy: { sensitive_columns: {} }, cases: [] }
  const isSensitive = ({ name, column }: SourceColumn) =>
    corpus.policy.sensitive_columns[name]?.includes(column) === true
  const hits = (sources: readonly SourceColumn[] | 'anything') =>
    sources === 'anything' || sources.some(isSensitive)

  function read(sql: string): SqlReading | undefined {
    try {
      parseSync(sql)
    } catch {
      return undefined
    }
    return readSql(sql, CATALOG)
  }

  const flowsOf = ({ flows, flow }: SqlReading): readonly DataFlow[] => flows ?? [flow]
  const shows = (flow: DataFlow) =>
    flow.outputs === 'unknown' ? hits(flow.touched) : flow.outputs.some(({ sources }) => hits(sources))
  const infers = (flow: DataFlow) => flow.inferences.some(({ column }) => isSensitive(column))

  const ours = corpus.cases.filter(({ dialect }) => dialect === 'postgresql')

  it.each(ours.filter(({ expected }) => expected === 'mask'))('$id is to be masked: $sql', (one) => {
    const readings = [one.sql].flat().flatMap((sql) => read(sql) ?? [])
    const flows = readings.flatMap(flowsOf)
    const isInText = one.class === 'error' || one.class === 'explain' || one.class === 'notice'
    expect(
      readings.some(({ opaqueBecause }) => opaqueBecause !== undefined) ||
        flows.some((flow) => (isInText ? hits(flow.touched) : shows(flow))),
    ).toBe(true)
  })

  it.each(ours.filter(({ expected }) => expected === 'deny'))('$id is to be denied: $sql', (one) => {
    const readings = [one.sql].flat().map(read)
    const seen = readings.some(
      (reading) =>
        reading === undefined ||
        reading.opaqueBecause !== undefined ||
        reading.operations.some(({ action }) => ACTS.test(action)) ||
        flowsOf(reading).some((flow) => shows(flow) || infers(flow)),
    )
    expect(seen).toBe(true)
  })

  it.each(ours.filter(({ expected }) => expected === 'allow'))('$id is to be let through: $sql', (one) => {
    for (const sql of [one.sql].flat()) {
      const reading = read(sql)
      expect(reading?.opaqueBecause).toBeUndefined()
      expect(reading?.operations.filter(({ action }) => ACTS.test(action))).toEqual([])
      for (const flow of reading ? flowsOf(reading) : []) {
        expect([shows(flow), infers(flow)]).toEqual([false, false])
      }
    }
  })
})
