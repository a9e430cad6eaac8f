import * as fc from 'fast-check'
import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import { catalogOf, tableOf } from '../../access/catalog.fixture.ts'
import { CatalogIndex, Names } from './names.ts'
import { readStatement } from './read-statement.ts'
import { readSql } from './read.fixture.ts'
import { isFields, list } from './tree.ts'

beforeAll(() => loadModule())

const WIDE = Array.from({ length: 1600 }, (_, n) => `c${n}`)
const VIEWS = 60
const CATALOG = catalogOf([
  tableOf('c', ['id', 'name', 'ssn']),
  tableOf('o', ['id', 'c_id', 'status']),
  tableOf('wide', WIDE),
  ...Array.from({ length: VIEWS }, (_, n) =>
    tableOf(`v${n}`, ['a', 'b'], {
      kind: 'view',
      definition:
        n === 0
          ? 'SELECT ssn AS a, name AS b FROM public.c'
          : `SELECT x.a, y.b FROM public.v${n - 1} x, public.v${n - 1} y WHERE x.a = y.b`,
    }),
  ),
  tableOf('loop', ['a'], { kind: 'view', definition: 'SELECT a FROM public.loop' }),
])
const NAMES = new Names(new CatalogIndex(CATALOG, parseSync), [['public']])

const SAMPLES = [
  'SELECT c.*, o.status FROM c JOIN o USING (id) WHERE c.ssn = $1 ORDER BY 1 LIMIT 3 FOR UPDATE OF c',
  'WITH RECURSIVE r (a, b) AS (SELECT id, ssn FROM c UNION SELECT a + 1, b FROM r) SELECT max(b) FILTER (WHERE a > 1) OVER w FROM r WINDOW w AS (PARTITION BY a)',
  'INSERT INTO o (id, status) SELECT id, ssn FROM c ON CONFLICT (id) DO UPDATE SET status = excluded.status RETURNING *',
  'UPDATE o SET (c_id, status) = (SELECT id, ssn FROM c WHERE c.id = o.c_id) WHERE EXISTS (SELECT 1 FROM v3) RETURNING WITH (OLD AS was) was.status',
  'MERGE INTO o USING c ON o.c_id = c.id WHEN MATCHED AND c.ssn IN ($1, $2) THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1, 2)',
  "SELECT (x.r).f1, CASE WHEN ssn LIKE 'a%' THEN ARRAY[id] END FROM c TABLESAMPLE system (1), LATERAL (SELECT ROW(name, id) AS r) x, unnest(ARRAY[1]) u (n), json_table('{}', '$' COLUMNS (z int)) j",
  'SELECT DISTINCT ON (a) a FROM v1 GROUP BY GROUPING SETS ((a), ()) HAVING count(*) > 1',
]

/** What a subtree is replaced by. */
const WEEDS: readonly unknown[] = [
  undefined,
  null,
  {},
  [],
  7,
  'x',
  [{}],
  { A_Star: {} },
  { ColumnRef: { fields: [{ A_Star: {} }] } },
  { SelectStmt: {} },
  { RangeVar: { relname: 'c' } },
  { String: { sval: 'ssn' } },
  { List: { items: [] } },
]

function nodesOf(tree: unknown, found: object[] = []): readonly object[] {
  if (typeof tree !== 'object' || tree === null) return found
  found.push(tree)
  for (const below of Object.values(tree)) nodesOf(below, found)
  return found
}

function statementOf(sql: string): unknown {
  const tree: unknown = parseSync(sql)
  const [first] = isFields(tree) ? list(tree['stmts']) : []
  return isFields(first) ? first['stmt'] : undefined
}

describe('a tree that no parser would make', () => {
  it('is read or opaque, and never fails', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SAMPLES),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(...WEEDS)), { minLength: 1, maxLength: 4 }),
        (sql, changes) => {
          const tree = statementOf(sql)
          for (const [at, which, weed] of changes) {
            const nodes = nodesOf(tree)
            const node = nodes[at % nodes.length]
            const keys = Object.keys(node ?? {})
            if (node !== undefined && keys.length > 0)
              Reflect.set(node, keys[which % keys.length] ?? '', structuredClone(weed))
          }
          const { flow, operations } = readStatement(tree, NAMES)
          expect(Array.isArray(operations) && Array.isArray(flow.inferences)).toBe(true)
        },
      ),
      { numRuns: 1500 },
    )
  })

  it('is opaque where it holds a node that nobody knows', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SAMPLES), fc.nat(), (sql, at) => {
        const tree = statementOf(sql)
        const exprs = nodesOf(tree).filter((node) => Object.keys(node).join() === 'ColumnRef')
        const node = exprs[at % Math.max(1, exprs.length)]
        if (node === undefined) return
        Reflect.deleteProperty(node, 'ColumnRef')
        Reflect.set(node, 'NewExpr', { arg: {} })
        expect(readStatement(tree, NAMES).opaqueBecause).toContain('NewExpr')
      }),
    )
  })
})

describe('the work on a hostile statement', () => {
  const repeated = (times: number, part: (n: number) => string, by = ', ') =>
    Array.from({ length: times }, (_, n) => part(n)).join(by)

  it.each([
    [
      'columns that double with each WITH',
      `WITH t0 AS (TABLE wide), ${repeated(40, (n) => `t${n + 1} AS (SELECT a.c0 || b.c0 AS c0, * FROM t${n} a, t${n} b)`)} TABLE t40`,
    ],
    ['rows of a wide table', `SELECT ${repeated(5000, () => 'w')} FROM wide w`],
    ['stars over a wide table', `SELECT ${repeated(5000, () => '*')} FROM wide w`],
  ])('ends when it is too much: %s', (_, sql) => {
    expect(readSql(sql, CATALOG).opaqueBecause).toContain('too large')
  })

  it.each([
    [
      'a chain of WITH queries, each with the one before twice',
      `WITH t0 AS (SELECT ssn AS x FROM c), ${repeated(200, (n) => `t${n + 1} AS (SELECT a.x || b.x AS x FROM t${n} a, t${n} b)`)} TABLE t200`,
    ],
    ['views that name each other twice', `SELECT a FROM v${VIEWS - 1}`],
    ['a view that names itself', 'SELECT a FROM loop'],
    [
      'values that go from column to column',
      `WITH RECURSIVE r AS (SELECT ${repeated(300, (n) => (n === 0 ? 'ssn AS k0' : `NULL::text AS k${n}`))} FROM c UNION ALL SELECT ${repeated(300, (n) => `k${(n + 299) % 300}`)} FROM r) SELECT k150 FROM r`,
    ],
    [
      'recursion within recursion',
      'WITH RECURSIVE a AS (SELECT ssn x FROM c UNION ALL (WITH RECURSIVE b AS (SELECT x FROM a UNION ALL (WITH RECURSIVE d AS (SELECT x FROM b UNION ALL SELECT x FROM d) TABLE d)) TABLE b)) TABLE a',
    ],
    ['many unions', repeated(300, () => 'SELECT ssn FROM c', ' UNION ')],
    [
      'many conditions',
      `SELECT ssn FROM c WHERE ${repeated(2000, () => 'CASE WHEN true THEN true END', ' AND ')}`,
    ],
  ])('goes on as far as it must: %s', (_, sql) => {
    const { opaqueBecause, flow } = readSql(sql, CATALOG)
    expect(opaqueBecause).toBeUndefined()
    const sources = flow.outputs === 'unknown' ? 'unknown' : flow.outputs[0]?.sources
    const isSeen =
      sources === 'anything' || (Array.isArray(sources) && sources.some(({ column }) => column === 'ssn'))
    expect(isSeen).toBe(true)
  })

  it('says no more of a result than other sessions can wait for', () => {
    const { flow } = readSql(`SELECT ${repeated(100, () => 'w')} FROM wide w`, CATALOG)
    expect(flow.outputs).toBe('unknown')
    expect(flow.touched).toHaveLength(WIDE.length)
  })

  it('does not double with every condition within a condition', () => {
    const depth = 200
    const nested = `${'CASE WHEN '.repeat(depth)}ssn = '1'${' THEN true END'.repeat(depth)}`
    const { flow, opaqueBecause } = readSql(`SELECT ${nested} FROM c WHERE ${nested}`, CATALOG)
    expect(opaqueBecause).toBeUndefined()
    expect(flow.inferences.map(({ kind }) => kind)).toContain('constant')
  })
})
