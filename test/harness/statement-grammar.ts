/** A small generator of whole numbers that is the same everywhere (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What statements can be made about. */
export interface GrammarTable {
  readonly name: string
  readonly key: string
  readonly texts: readonly string[]
  readonly numbers: readonly string[]
  /** Of any other type; they are used whole, and cast to text. */
  readonly others: readonly string[]
}

/** One statement, and those around it that make it what it is. Each is a message of its own. */
export interface MadeStatement {
  readonly messages: readonly string[]
  /** It can be sent in the extended protocol: one statement without a cursor or COPY. */
  readonly isPlain: boolean
}

/**
 * Statements that read columns in as many ways as SQL has to bring a value into an answer: the expressions of a projection,
 * and the queries, changes and cursors that a projection can be in. Deep enough to mix them, and always valid SQL of types
 * that fit, so that the target runs most of them.
 */
export class StatementGrammar {
  readonly #random: () => number
  readonly #tables: readonly GrammarTable[]

  constructor(random: () => number, tables: readonly GrammarTable[]) {
    this.#random = random
    this.#tables = tables
  }

  statement(): MadeStatement {
    const plain = (sql: string): MadeStatement => ({ messages: [sql], isPlain: true })
    const several = (...messages: readonly string[]): MadeStatement => ({ messages, isPlain: false })
    const name = `n${Math.floor(this.#random() * 1e6)}`
    return this.#make<MadeStatement>([
      ...Array.from({ length: 8 }, () => () => plain(this.#query(3))),
      () => several(`COPY (${this.#query(2)}) TO STDOUT`),
      () => several(`COPY (${this.#query(2)}) TO STDOUT (FORMAT csv, HEADER)`),
      () => several(`COPY ${this.#table().name} TO STDOUT (FORMAT csv, FORCE_QUOTE *)`),
      () =>
        several(
          'BEGIN',
          `DECLARE ${name} CURSOR FOR ${this.#query(2)}`,
          `FETCH ALL FROM ${name}`,
          'ROLLBACK',
        ),
      () => several(`PREPARE ${name} AS ${this.#query(2)}`, `EXECUTE ${name}`, `DEALLOCATE ${name}`),
      () => several('BEGIN', this.#change(), 'ROLLBACK'),
      () => several(`${this.#query(1)}; ${this.#query(1)}`),
      () => plain(`EXPLAIN VERBOSE ${this.#query(2)}`),
    ])
  }

  /** A query of one result. */
  #query(depth: number): string {
    const table = this.#table()
    const columns = (of: GrammarTable, alias: string, level: number): string =>
      Array.from({ length: 1 + this.#below(3) }, () => this.#any(of, alias, level)).join(', ')
    const simple = (): string =>
      `SELECT ${columns(table, 'a', depth)} FROM ${table.name} a${this.#filter(table)}`
    if (depth === 0) return simple()
    const text = (): string => this.#text(table, 'a', depth - 1)
    return this.#make([
      simple,
      simple,
      simple,
      () => `SELECT * FROM ${table.name} a${this.#filter(table)}`,
      () => `SELECT a FROM ${table.name} a`,
      () => `SELECT count(*), count(${this.#column(table, 'a')}) FROM ${table.name} a`,
      () => `SELECT min(${text()}), max(${text()}), string_agg(${text()}, '-') FROM ${table.name} a`,
      () =>
        `SELECT array_agg(${text()}), json_agg(a), jsonb_object_agg(a.${table.key}, ${text()}) FROM ${table.name} a`,
      () =>
        `SELECT sum(${this.#number(table, 'a', depth - 1)}), avg(${this.#number(table, 'a', 0)}) FROM ${table.name} a`,
      () => `SELECT ${text()} AS x, lag(${text()}) OVER (ORDER BY a.${table.key}) FROM ${table.name} a`,
      () => `SELECT first_value(${text()}) OVER (PARTITION BY a.${table.key}) FROM ${table.name} a`,
      () => `SELECT s.* FROM (SELECT ${text()} AS p, a.${table.key} AS q FROM ${table.name} a) s`,
      () => `WITH c AS (SELECT ${text()} AS p FROM ${table.name} a) SELECT p, reverse(p) FROM c`,
      () =>
        `WITH RECURSIVE r(n, p) AS (SELECT 1, ${text()} FROM ${table.name} a UNION ALL SELECT n + 1, p || '.' FROM r WHERE n < 2) SELECT p FROM r`,
      () => `SELECT ${text()} FROM ${table.name} a UNION ALL SELECT ${text()} FROM ${table.name} a`,
      () => `SELECT ${text()} FROM ${table.name} a UNION SELECT 'x' ORDER BY 1`,
      () => `SELECT x FROM ${table.name} a, LATERAL (SELECT ${text()} AS x) l`,
      () => `SELECT (SELECT ${text()} FROM ${table.name} a ORDER BY a.${table.key} LIMIT 1)`,
      () => `VALUES (1, (SELECT ${text()} FROM ${table.name} a ORDER BY a.${table.key} LIMIT 1))`,
      () => `SELECT unnest(ARRAY(SELECT ${text()} FROM ${table.name} a))`,
      () => `SELECT key, value FROM ${table.name} a, jsonb_each_text(to_jsonb(a))`,
      () => `SELECT regexp_split_to_table(${text()}, '') FROM ${table.name} a`,
      () => `SELECT DISTINCT ${text()} FROM ${table.name} a`,
      () => `SELECT ${text()}, count(*) FROM ${table.name} a GROUP BY 1`,
      () => `SELECT a.${table.key}, b.* FROM ${table.name} a JOIN ${table.name} b USING (${table.key})`,
      () => `SELECT a.${table.key} FROM ${table.name} a WHERE ${text()} LIKE 'q%' ORDER BY ${text()}`,
      () => `SELECT ${text()}::integer FROM ${table.name} a`,
      () => `SELECT ${text()}::date, ${this.#number(table, 'a', 0)} / 0 FROM ${table.name} a`,
      () => `SELECT nextval(${text()}::regclass) FROM ${table.name} a`,
      () => `TABLE ${table.name}`,
    ])
  }

  /** One that changes rows, and returns them. */
  #change(): string {
    const table = this.#table()
    const columns = `${this.#any(table, table.name, 2)}, ${this.#any(table, table.name, 1)}`
    const text = this.#one(table.texts)
    return this.#make([
      () =>
        `UPDATE ${table.name} SET ${table.key} = ${table.key} WHERE ${table.key} < 3 RETURNING ${columns}`,
      () => `UPDATE ${table.name} SET ${text} = ${text} WHERE ${table.key} < 3 RETURNING *`,
      () => `DELETE FROM ${table.name} WHERE ${table.key} = 1 RETURNING ${columns}`,
      () => `INSERT INTO ${table.name} SELECT * FROM ${table.name} RETURNING ${columns}`,
    ])
  }

  #filter(table: GrammarTable): string {
    return this.#make([() => '', () => '', () => ` WHERE a.${table.key} < 3`, () => ' LIMIT 2'])
  }

  #any(table: GrammarTable, alias: string, depth: number): string {
    return this.#make([
      () => this.#text(table, alias, depth),
      () => this.#text(table, alias, depth),
      () => this.#number(table, alias, depth),
      () => this.#column(table, alias),
      () => `${alias}.${table.key}`,
      () => `${this.#column(table, alias)} IS NULL`,
      () => `to_jsonb(${alias})`,
      () => `row_to_json(${alias})`,
      () => `ROW(${this.#column(table, alias)}, ${alias}.${table.key})`,
      () => `ARRAY[${this.#text(table, alias, 0)}, ${this.#text(table, alias, 0)}]`,
      () => `json_build_object('k', ${this.#column(table, alias)})`,
      () => `convert_to(${this.#text(table, alias, 0)}, 'UTF8')`,
      () => `hashtext(${this.#text(table, alias, 0)})`,
      () => `ascii(${this.#text(table, alias, 0)})`,
      () => `length(${this.#text(table, alias, 0)})`,
    ])
  }

  #text(table: GrammarTable, alias: string, depth: number): string {
    const leaf = (): string => `${this.#column(table, alias)}::text`
    if (depth <= 0) return leaf()
    const inner = (): string => this.#text(table, alias, depth - 1)
    return this.#make([
      leaf,
      leaf,
      () => `reverse(${inner()})`,
      () => `upper(${inner()})`,
      () => `lower(${inner()})`,
      () => `${inner()} || ''`,
      () => `concat(${inner()}, '-', ${inner()})`,
      () => `concat_ws('/', ${inner()}, 'x')`,
      () => `substr(${inner()}, 2, 9)`,
      () => `left(${inner()}, 7)`,
      () => `right(${inner()}, 7)`,
      () => `replace(${inner()}, 'x', 'y')`,
      () => `translate(${inner()}, 'abc', 'def')`,
      () => `md5(${inner()})`,
      () => `encode(convert_to(${inner()}, 'UTF8'), '${this.#one(['hex', 'base64', 'escape'])}')`,
      () => `coalesce(NULL, ${inner()})`,
      () => `nullif(${inner()}, '')`,
      () => `greatest(${inner()}, '')`,
      () => `CASE WHEN true THEN ${inner()} ELSE 'no' END`,
      () => `CASE WHEN ${alias}.${table.key} > 0 THEN ${inner()} END`,
      () => `format('%s', ${inner()})`,
      () => `quote_literal(${inner()})`,
      () => `to_json(${inner()})::text`,
      () => `repeat(${inner()}, 2)`,
      () => `lpad(${inner()}, 30, '.')`,
      () => `split_part(${inner()}, '@', 1)`,
      () => `array_to_string(ARRAY[${inner()}], ',')`,
      () => `regexp_replace(${inner()}, '(.)', '\\1.', 'g')`,
      () => `(${alias}::text)`,
      () => `(SELECT ${inner()})`,
    ])
  }

  #number(table: GrammarTable, alias: string, depth: number): string {
    const leaf = (): string => `${alias}.${this.#one(table.numbers)}`
    if (depth <= 0) return leaf()
    const inner = (): string => this.#number(table, alias, depth - 1)
    return this.#make([
      leaf,
      () => `${inner()} + 0`,
      () => `-(${inner()})`,
      () => `round(${inner()}, 2)`,
      () => `abs(${inner()})`,
      () => `greatest(${inner()}, 0)`,
      () => `${inner()} * 10`,
      () => `coalesce(${inner()}, 0)`,
      () => `(${inner()})::numeric`,
    ])
  }

  #column(table: GrammarTable, alias: string): string {
    return `${alias}.${this.#one([...table.texts, ...table.texts, ...table.numbers, ...table.others])}`
  }

  #table(): GrammarTable {
    return this.#one(this.#tables)
  }

  #below(size: number): number {
    return Math.floor(this.#random() * size)
  }

  #make<T = string>(makers: readonly (() => T)[]): T {
    return this.#one(makers)()
  }

  #one<T>(choices: readonly T[]): T {
    const chosen = choices[this.#below(choices.length)]
    if (chosen === undefined) throw new Error('there is nothing to choose from')
    return chosen
  }
}
