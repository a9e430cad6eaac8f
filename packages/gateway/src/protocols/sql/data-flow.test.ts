import { loadModule } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Catalog } from '../../access/catalog.ts'
import { catalogOf, columnOf, tableOf } from '../../access/catalog.fixture.ts'
import type { DataFlow, SourceColumn } from '../../access/data-flow.ts'
import { readSql } from './read.fixture.ts'

beforeAll(() => loadModule())

const routine = { schema: 'public', kind: 'function', arguments: '', returnsSet: false } as const

const CATALOG: Catalog = catalogOf(
  [
    tableOf('c', ['id', 'name', 'ssn', 'doc', 'vip']),
    tableOf('o', ['id', 'c_id', 'total', 'status']),
    tableOf('sales.o', ['id', 'hidden']),
    tableOf('v', ['ref', 'code'], {
      kind: 'view',
      definition: "SELECT id AS ref, ssn AS code FROM public.c WHERE name <> ''::text",
      uses: [{ schema: 'public', name: 'c', columns: ['id', 'name', 'ssn'] }],
    }),
    tableOf('vv', ['x'], { kind: 'view', definition: 'SELECT code AS x FROM public.v' }),
    tableOf('closed', ['x'], { kind: 'view' }),
    tableOf('p', ['k', 'ssn'], { kind: 'partitioned-table' }),
    tableOf('p1', ['k', 'ssn'], { parents: [{ schema: 'public', name: 'p' }] }),
    tableOf('g', [], { columns: [columnOf('a', 1), columnOf('b', 2, { generatedFrom: 'upper(a)' })] }),
    tableOf('t', ['a'], {
      triggers: [{ name: 'tr', on: ['update'], function: { schema: 'public', name: 'f' } }],
    }),
    tableOf('pg_catalog.pg_class', ['oid', 'relname']),
    tableOf('pg_catalog.pg_stats', ['tablename', 'most_common_vals']),
  ],
  {
    schemas: ['public', 'sales'],
    functions: [
      { ...routine, name: 'f', volatility: 'immutable', securityDefiner: false, language: 'sql' },
      { ...routine, name: 'st', volatility: 'immutable', securityDefiner: false, language: 'c' },
    ],
    operators: [{ schema: 'public', name: '<~>' }],
  },
)

function flowOf(sql: string, catalog = CATALOG): DataFlow {
  const { flow, opaqueBecause } = readSql(sql, catalog)
  expect(opaqueBecause).toBeUndefined()
  return flow
}

function shown({ schema, name, column }: SourceColumn): string {
  return `${schema === 'public' ? '' : `${schema}.`}${name}.${column}`
}

/** `c.ssn!` for a plain column, `c.id+c.ssn` for what is made of two, `-` for nothing, `*` for anything. */
function outputs(sql: string): string {
  const flow = flowOf(sql)
  if (flow.outputs === 'unknown') return 'unknown'
  return flow.outputs
    .map(({ sources, isPlain }) => {
      if (sources === 'anything') return '*'
      return `${sources.map(shown).toSorted().join('+') || '-'}${isPlain ? '!' : ''}`
    })
    .join(' ')
}

/** `equality c.ssn`, sorted, of the columns that matter here. */
function inferences(sql: string): string {
  return flowOf(sql)
    .inferences.filter(({ column }) => column.column === 'ssn' || column.column === 'code')
    .map(({ column, kind }) => `${kind} ${shown(column)}`)
    .toSorted()
    .join(', ')
}

describe('where the values of a result come from', () => {
  it.each([
    ['SELECT ssn FROM c', 'c.ssn!'],
    ['SELECT reverse(ssn), ssn || name, ssn::bytea, -id FROM c', 'c.ssn c.name+c.ssn c.ssn c.id'],
    ["SELECT CASE WHEN ssn = '1' THEN id ELSE 0 END FROM c", 'c.id+c.ssn'],
    [
      'SELECT CASE ssn WHEN name THEN 1 END, ssn IS DISTINCT FROM name, ssn = ANY ($1) FROM c',
      'c.name+c.ssn c.name+c.ssn c.ssn',
    ],
    [
      'SELECT coalesce(ssn, name), greatest(id, 1), nullif(ssn, name) FROM c',
      'c.name+c.ssn c.id c.name+c.ssn',
    ],
    ['SELECT ARRAY[ssn, name], (ARRAY[ssn])[id], ROW(ssn, id) FROM c', 'c.name+c.ssn c.id+c.ssn c.id+c.ssn'],
    ['SELECT c, to_jsonb(c), c IS NULL FROM c', Array(3).fill('c.doc+c.id+c.name+c.ssn+c.vip').join(' ')],
    ['SELECT (c).ssn, ssn(c), c.ssn FROM c', 'c.ssn! c.ssn c.ssn!'],
    ['SELECT (ROW(ssn, id)).f2, (x.r).f1 FROM c, LATERAL (SELECT ROW(name, id) AS r) x', 'c.id! c.name!'],
    ["SELECT doc->>'a', doc #> '{a}' FROM c", 'c.doc c.doc'],
    [
      'SELECT xmlforest(ssn AS a), xmlelement(name e, xmlattributes(ssn AS a), id) FROM c',
      'c.ssn c.id+c.ssn',
    ],
    [
      "SELECT json_object('k' VALUE ssn), json_array(ssn, id), JSON_VALUE(doc, '$.a'), json_arrayagg(ssn ORDER BY id) FROM c",
      'c.ssn c.id+c.ssn c.doc c.id+c.ssn',
    ],
    ['SELECT json_array(SELECT ssn FROM c)', 'c.ssn'],
    [
      'SELECT max(ssn), string_agg(name, $1 ORDER BY ssn), count(*) FILTER (WHERE ssn = $1) FROM c',
      'c.ssn c.name+c.ssn c.ssn',
    ],
    [
      'SELECT lag(name) OVER (PARTITION BY ssn ORDER BY id), row_number() OVER () FROM c',
      'c.id+c.name+c.ssn -',
    ],
    ['SELECT rank() OVER w2 FROM c WINDOW w AS (PARTITION BY ssn), w2 AS (w ORDER BY id)', 'c.id+c.ssn'],
    ['SELECT sum(id) OVER (ORDER BY id ROWS ssn::int PRECEDING) FROM c', 'c.id+c.ssn'],
    [
      'SELECT (SELECT ssn FROM c LIMIT 1), ARRAY(SELECT ssn FROM c), EXISTS (SELECT ssn FROM c)',
      'c.ssn! c.ssn -',
    ],
    ['SELECT id IN (SELECT id FROM o), name = ALL (SELECT ssn FROM c) FROM c', 'c.id+o.id c.name+c.ssn'],
    ['SELECT ssn FROM c UNION ALL SELECT status FROM o', 'c.ssn+o.status'],
    ['SELECT id FROM o EXCEPT SELECT id FROM c', 'c.id+o.id'],
    ['VALUES (1, (SELECT ssn FROM c)), ((SELECT id FROM o), 2)', 'o.id c.ssn'],
    ['SELECT unnest(ARRAY(SELECT ssn FROM c)), generate_series(1, 2)', 'c.ssn -'],
    [
      'SELECT e.key, e.value FROM c, jsonb_each_text(to_jsonb(c)) e',
      Array(2).fill('c.doc+c.id+c.name+c.ssn+c.vip').join(' '),
    ],
    ['SELECT x.* FROM c, unnest(ARRAY[c.ssn], ARRAY[c.id]) AS x (a, b)', 'c.id+c.ssn c.id+c.ssn'],
    [
      "SELECT * FROM json_table((SELECT doc FROM c), '$[*]' COLUMNS (n FOR ORDINALITY, NESTED '$.b' COLUMNS (z int PATH '$'))) j",
      'c.doc c.doc',
    ],
    [
      "SELECT j.a, i FROM c, xmltable('/r' PASSING (c.ssn::xml) COLUMNS a text PATH 'x', i int PATH 'y' DEFAULT c.id) j",
      'c.ssn c.id+c.ssn',
    ],
    ['SELECT r.a FROM c, jsonb_to_record(c.doc) AS r (a text, b int)', 'c.doc'],
    [
      'WITH a AS (SELECT ssn AS x, id FROM c), b (p, q) AS (SELECT * FROM a) SELECT q, p FROM b',
      'c.id! c.ssn!',
    ],
    [
      'WITH RECURSIVE r (n, s) AS (SELECT 1, ssn FROM c UNION ALL SELECT n + 1, s FROM r) SELECT * FROM r',
      '- c.ssn!',
    ],
    [
      'WITH RECURSIVE r (a, b, z) AS (SELECT ssn, name, status FROM c, o UNION SELECT b, z, a FROM r) SELECT * FROM r',
      Array(3).fill('c.name+c.ssn+o.status').join(' '),
    ],
    [
      'WITH RECURSIVE r AS (SELECT id, ssn FROM c UNION ALL SELECT * FROM r) CYCLE id SET m USING way SELECT ssn, m, way FROM r',
      'c.ssn! c.id+c.ssn c.id+c.ssn',
    ],
    [
      'WITH w AS (UPDATE o SET status = c.ssn FROM c RETURNING o.status AS s, o.id) SELECT s, id FROM w',
      'c.ssn+o.status o.id!',
    ],
    ['INSERT INTO o SELECT id, id, 1, ssn FROM c RETURNING status, total', 'c.ssn+o.status o.total!'],
    [
      'INSERT INTO o (status) VALUES ($1) ON CONFLICT (id) DO UPDATE SET status = (SELECT ssn FROM c) RETURNING status',
      'c.ssn+o.status',
    ],
    [
      'MERGE INTO o USING c ON o.id = c.id WHEN MATCHED THEN UPDATE SET status = c.ssn RETURNING merge_action(), o.status, new.status, old.status',
      '- c.ssn+o.status c.ssn+o.status o.status!',
    ],
    [
      'UPDATE o SET (total, status) = (SELECT id, ssn FROM c) RETURNING total, status',
      'c.id+o.total c.ssn+o.status',
    ],
    ['SELECT code, ref FROM v', 'c.ssn+v.code! c.id+v.ref!'],
    ['SELECT x FROM vv', 'c.ssn+v.code+vv.x!'],
    ['SELECT x FROM closed', '*'],
    ['SELECT ssn FROM p1', 'p.ssn+p1.ssn!'],
    ['SELECT b FROM g', 'g.a+g.b!'],
    ['SELECT * FROM c NATURAL JOIN o', 'c.id! c.name! c.ssn! c.doc! c.vip! o.c_id! o.total! o.status!'],
    ['SELECT id FROM c FULL JOIN o USING (id)', 'c.id+o.id'],
    ['SELECT j.q FROM (c JOIN o ON true) AS j (p, q)', 'c.name!'],
    ['SELECT id FROM c, o', 'c.id+o.id'],
    [
      'SELECT count(*), pg_typeof(ssn), ssn IS NULL, count(ssn), grouping(ssn) FROM c GROUP BY ssn',
      '- - - - -',
    ],
    [
      'SELECT count(DISTINCT ssn), (ssn = $1) IS NULL, count(nullif(ssn, $1)), length(ssn) FROM c GROUP BY ssn',
      'c.ssn c.ssn c.ssn c.ssn',
    ],
    ['SELECT ctid, tableoid FROM c', '- -'],
    ['SELECT f(id), st(ssn), id <~> id, id OPERATOR(pg_catalog.+) 1 FROM c', '* c.ssn * c.id'],
    [
      "SELECT query_to_xml('select 1', true, true, ''), most_common_vals, tablename FROM pg_stats",
      '* * pg_catalog.pg_stats.tablename!',
    ],
    ['SELECT missing FROM c', '*'],
    ['SELECT a, count(*) FROM missing', '* -'],
    ['SELECT r.a FROM c, jsonb_populate_record(NULL::o, c.doc) AS r (a)', 'c.doc'],
    ['SELECT r.* FROM c, jsonb_populate_record(NULL::o, c.doc) AS r (a)', 'unknown'],
    ['SELECT * FROM missing', 'unknown'],
    ['SELECT 1 FROM c WHERE f(id)', '*'],
    ['SELECT 1, current_date, $1, now()', '- - - -'],
    ['EXPLAIN SELECT max(ssn) FROM c', '-'],
    ['EXPLAIN SELECT f(1)', '*'],
    ['COPY c (ssn, id) TO STDOUT', 'c.ssn! c.id!'],
    ['CREATE TABLE n AS SELECT ssn FROM c', ''],
    ['DELETE FROM c', ''],
  ])('%s', (sql, expected) => {
    expect(outputs(sql)).toBe(expected)
  })
})

describe('what else tells the value of a column', () => {
  it.each([
    ['SELECT 1 FROM c WHERE ssn = $1', 'equality c.ssn'],
    ['SELECT 1 FROM c WHERE $1::text = ssn', 'equality c.ssn'],
    ['SELECT 1 FROM c WHERE ssn IN ($1, $2) OR NOT ssn = $3', 'equality c.ssn'],
    ['SELECT 1 FROM c WHERE (id, ssn) = ($1, $2)', 'equality c.ssn'],
    ['SELECT 1 FROM c WHERE ssn IS NOT DISTINCT FROM $1', 'equality c.ssn'],
    ["SELECT 1 FROM c WHERE ssn = '1'", 'constant c.ssn'],
    ["SELECT 1 FROM c WHERE ssn IN ('1', $1)", 'constant c.ssn, equality c.ssn'],
    ['SELECT 1 FROM c WHERE ssn = ANY ($1)', 'constant c.ssn'],
    ['SELECT 1 FROM c WHERE ssn = ANY (ARRAY[$1, $2])', 'constant c.ssn'],
    ['SELECT 1 FROM c WHERE ssn <> $1', 'other c.ssn'],
    ['SELECT 1 FROM c WHERE ssn > $1 AND ssn BETWEEN $2 AND $3', 'range c.ssn'],
    ['SELECT 1 FROM c WHERE ssn LIKE $1', 'pattern c.ssn'],
    ['SELECT 1 FROM c WHERE lower(ssn) = $1', 'pattern c.ssn'],
    ['SELECT 1 FROM c WHERE (ssn || $1) > $2', 'pattern c.ssn'],
    ["SELECT 1 FROM c WHERE CASE WHEN ssn = '1' THEN true END", 'constant c.ssn, pattern c.ssn'],
    ['SELECT CASE WHEN ssn > $1 THEN 1 / id END FROM c', 'range c.ssn'],
    ["SELECT CASE ssn WHEN '1' THEN 1 END FROM c", 'constant c.ssn'],
    ["SELECT pg_notify('x', ssn) FROM c", 'other c.ssn'],
    ['SELECT 1 FROM c WHERE ssn IS NULL', ''],
    ['SELECT 1 FROM c WHERE (ssn = $1) IS NOT NULL', 'pattern c.ssn'],
    ['SELECT 1 FROM c JOIN o ON o.status = c.ssn', 'join c.ssn'],
    ["SELECT 1 FROM c JOIN (VALUES ('1'), ('2')) g (x) ON g.x = c.ssn", 'other c.ssn'],
    ['SELECT 1 FROM c JOIN p USING (ssn)', 'join c.ssn, join p.ssn, join p1.ssn'],
    ['SELECT 1 FROM c NATURAL JOIN p1', 'join c.ssn, join p.ssn, join p1.ssn'],
    ['SELECT 1 FROM o WHERE status IN (SELECT ssn FROM c)', 'join c.ssn'],
    ['SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM c WHERE c.ssn = o.status)', 'join c.ssn'],
    ['SELECT id FROM c ORDER BY ssn LIMIT 1', 'order c.ssn'],
    ['SELECT id, ssn FROM c ORDER BY 2', 'order c.ssn'],
    ['SELECT id, ssn AS x FROM c ORDER BY x', 'order c.ssn'],
    ['SELECT count(*) FROM c GROUP BY ssn', 'group c.ssn'],
    ['SELECT count(*) FROM c GROUP BY CUBE (id, ssn)', 'group c.ssn'],
    ['SELECT 1 FROM c GROUP BY id HAVING max(ssn) > $1', 'pattern c.ssn'],
    ['SELECT DISTINCT ssn FROM c', 'group c.ssn'],
    ['SELECT DISTINCT ON (ssn) id FROM c', 'group c.ssn'],
    ['SELECT ssn FROM c UNION SELECT status FROM o', 'group c.ssn'],
    ['SELECT ssn FROM c UNION ALL SELECT status FROM o', ''],
    ['SELECT status FROM o INTERSECT ALL SELECT ssn FROM c', 'group c.ssn'],
    ['SELECT rank() OVER (PARTITION BY id ORDER BY ssn) FROM c', 'order c.ssn'],
    ['SELECT count(*) FILTER (WHERE ssn LIKE $1) FROM c', 'pattern c.ssn'],
    ['SELECT generate_series(1, length(ssn)) FROM c', 'other c.ssn'],
    ['SELECT id FROM c LIMIT (SELECT ssn::int FROM c)', 'other c.ssn'],
    ['SELECT * FROM (SELECT id FROM c WHERE ssn = $1) s', 'equality c.ssn'],
    ['UPDATE c SET name = $1 WHERE ssn = $2', 'equality c.ssn'],
    ['DELETE FROM c USING o WHERE o.status = c.ssn', 'join c.ssn'],
    [
      'MERGE INTO o USING c ON o.status = c.ssn WHEN MATCHED AND c.ssn > $1 THEN DELETE',
      'join c.ssn, range c.ssn',
    ],
    ['INSERT INTO c (ssn) VALUES ($1) ON CONFLICT (ssn) DO NOTHING', 'constant c.ssn'],
    ['SELECT ref FROM v WHERE code = $1', 'equality c.ssn, equality v.code'],
    ['SELECT ssn FROM c WHERE id = $1', ''],
  ])('%s', (sql, expected) => {
    expect(inferences(sql)).toBe(expected)
  })
})

describe('what is looked at', () => {
  const touched = (sql: string) => {
    const flow = flowOf(sql)
    return flow.touched === 'anything' ? '*' : flow.touched.map(shown).toSorted().join(' ')
  }

  it.each([
    ['SELECT count(*) FROM c', ''],
    ['SELECT id FROM c WHERE ssn IS NULL', 'c.id c.ssn'],
    ['UPDATE o SET total = 1', 'o.c_id o.id o.status o.total'],
    ['UPDATE t SET a = 1', '*'],
    ['INSERT INTO t VALUES (1)', 't.a'],
    ['SELECT f(1)', '*'],
    ['SELECT ref FROM v', 'c.id c.name v.ref'],
    ['SELECT 1 FROM c NATURAL JOIN p1', 'c.ssn p.ssn p1.ssn'],
  ])('by %s', (sql, expected) => {
    expect(touched(sql)).toBe(expected)
  })
})

describe('what is stored', () => {
  const stored = (sql: string) =>
    flowOf(sql)
      .stored.map(({ from, to }) => `${from === 'anything' ? '*' : from.map(shown).join('+')} > ${shown(to)}`)
      .join(', ')

  it.each([
    ['INSERT INTO o (status, id) SELECT ssn, 1 FROM c', 'c.ssn > o.status'],
    ['INSERT INTO o SELECT * FROM c', 'c.id > o.id, c.name > o.c_id, c.ssn > o.total, c.doc > o.status'],
    ['UPDATE o SET status = c.ssn, total = $1 FROM c', 'c.ssn > o.status'],
    ['UPDATE v SET code = (SELECT name FROM c)', 'c.name > c.ssn'],
    ['INSERT INTO p SELECT id, ssn FROM c', 'c.id > p.k, c.ssn > p.ssn'],
    ['UPDATE o SET status = f(1)', '* > o.status'],
    ['CREATE TABLE n AS SELECT ssn AS x FROM c', 'c.ssn > n.?'],
  ])('by %s', (sql, expected) => {
    expect(stored(sql)).toBe(expected)
  })

  it('names the parameters that are compared with a column or stored in it as they are', () => {
    const { parameters } = flowOf(
      'UPDATE c SET name = $1, doc = upper($2) WHERE ssn = $3 AND lower(ssn) = $4 AND id IN ($5, $6)',
    )
    expect(parameters.map(({ number, column }) => `${number} ${shown(column)}`)).toEqual([
      '1 c.name',
      '3 c.ssn',
      '5 c.id',
      '6 c.id',
    ])
  })
})

describe('a view', () => {
  const calling = (volatility: 'stable' | 'volatile') =>
    catalogOf(
      [
        tableOf('c', ['id', 'ssn']),
        tableOf('w', ['x'], { kind: 'view', definition: 'SELECT public.g(id) AS x FROM public.c' }),
      ],
      { functions: [{ ...routine, name: 'g', volatility, securityDefiner: false, language: 'plpgsql' }] },
    )
  const does = (sql: string, catalog = CATALOG) =>
    readSql(sql, catalog).operations.map(({ action, resource, columns, through }) =>
      [action, resource.type === 'Table' ? resource.table : resource.type, columns?.join('+'), through?.by]
        .filter((part) => part !== undefined)
        .join(' '),
    )

  it('that calls what can change something does so for whoever reads it', () => {
    expect(does('SELECT x FROM w', calling('volatile'))).toContain('call Database')
    expect(does('SELECT x FROM w', calling('stable'))).not.toContain('call Database')
    expect(readSql('SELECT x FROM w', calling('stable')).facts.functions).toEqual(['public.g'])
  })

  it('leads to the columns below it that are needed, and to what decides on its rows', () => {
    expect(does('SELECT ref FROM v')).toEqual(['select v ref', 'select c id+name view'])
    expect(does('SELECT x FROM vv')).toEqual(['select vv x', 'select v code view', 'select c name+ssn view'])
    expect(does('UPDATE v SET code = $1')).toEqual(['update v code', 'update c ssn view'])
  })
})

it('names what happens in partitions and in tables that refer to this one', () => {
  const keyed = catalogOf([
    tableOf('c', ['id'], { kind: 'partitioned-table' }),
    tableOf('c1', ['id'], { parents: [{ schema: 'public', name: 'c' }] }),
    tableOf('o', ['c_id'], {
      foreignKeys: [
        {
          name: 'k',
          columns: ['c_id'],
          references: { schema: 'public', name: 'c' },
          onDelete: 'cascades',
          onUpdate: 'refuses',
        },
      ],
    }),
  ])
  const reach = (sql: string) =>
    readSql(sql, keyed).operations.flatMap(({ action, resource, through }) =>
      resource.type === 'Table' && through ? [`${action} ${resource.table} ${through.by}`] : [],
    )
  expect(reach('SELECT id FROM c')).toEqual(['select c1 parent'])
  expect(reach('SELECT id FROM ONLY c')).toEqual([])
  expect(reach('SELECT id FROM c1')).toEqual(['select c partition'])
  expect(reach('DELETE FROM c1')).toEqual(['delete c partition', 'delete o foreign-key'])
  expect(reach('UPDATE c SET id = 2')).toEqual(['update c1 parent'])
})

describe('under several search paths', () => {
  it('a name has the columns of all relations that it can mean', () => {
    const names = { key: '', paths: [['public'], ['sales', 'public']], fallbacks: [], temporary: [] }
    const { operations, flow } = readSql('SELECT id FROM o', CATALOG, names)
    expect(operations.map(({ resource }) => resource)).toEqual([
      { type: 'Table', schema: 'public', table: 'o' },
      { type: 'Table', schema: 'sales', table: 'o' },
    ])
    expect(flow.outputs).toEqual([
      {
        sources: [
          { schema: 'public', name: 'o', column: 'id' },
          { schema: 'sales', name: 'o', column: 'id' },
        ],
        isPlain: false,
      },
    ])
    expect(readSql('SELECT * FROM o', CATALOG, names).flow.outputs).toBe('unknown')
  })

  it('a temporary relation can hold anything', () => {
    const names = { key: '', paths: [['public']], fallbacks: [], temporary: ['o'] }
    expect(readSql('SELECT id FROM o', CATALOG, names).flow.outputs).toEqual([
      { sources: 'anything', isPlain: false },
    ])
  })
})

describe('the flow of several statements', () => {
  it('is one each, and follows the names that the text itself makes', () => {
    const { flows } = readSql(
      'DECLARE k CURSOR FOR SELECT ssn FROM c; FETCH ALL FROM k; SELECT id FROM o',
      CATALOG,
    )
    expect(flows?.map((flow) => flow.outputs)).toEqual([
      [{ sources: [{ schema: 'public', name: 'c', column: 'ssn' }], isPlain: true }],
      [{ sources: [{ schema: 'public', name: 'c', column: 'ssn' }], isPlain: true }],
      [{ sources: [{ schema: 'public', name: 'o', column: 'id' }], isPlain: true }],
    ])
    expect(flows?.[1]?.touched).toEqual([{ schema: 'public', name: 'c', column: 'ssn' }])
  })
})
