import { copyFormat } from './copy-format.ts'
import type { ReadingBuilder } from './reading.ts'
import { onRelation, relationName } from './relation-name.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, text } from './tree.ts'

const DATABASE = { type: 'Database' } as const

/** Reads a statement or a query that stands within another one. */
type ReadInner = (statement: unknown, reading: ReadingBuilder) => void

/**
 * COPY, in all of its forms: from and to the client only. COPY of a relation is the query, or the INSERT, of its columns
 * (COPY, "Notes"), and is read as that.
 */
export function readCopy(fields: Fields, reading: ReadingBuilder, readInner: ReadInner): void {
  if (fields['is_program'] === true)
    return reading.opaque("COPY … PROGRAM runs a program on the database's host")
  if (fields['filename'] !== undefined) {
    return reading.opaque(
      "COPY with a file reads or writes files of the database's host; use STDIN or STDOUT",
    )
  }
  const relation = relationName(fields['relation'])
  if (fields['is_from'] === true) {
    if (relation === undefined) return reading.opaque('COPY FROM has no relation')
    reading.does('copyIn', onRelation(relation))
    readInner(asInsert(fields, reading), reading)
    // A condition on the rows that come in; what it says of columns is about those.
    if (fields['whereClause'] !== undefined) readInner(asCondition(fields['whereClause']), reading)
    return
  }
  reading.copiesOut(copyFormat(fields))
  if (relation) {
    reading.does('copyOut', onRelation(relation))
    readInner(asSelect(fields, reading), reading)
  } else {
    readInner(fields['query'], reading)
    const read = reading.targets('select')
    for (const resource of read) reading.doesOn('copyOut', resource)
    if (read.length === 0) reading.does('copyOut', DATABASE)
  }
}

/** The columns that a COPY is on: those that it names, or all but the generated ones. Undefined: not known. */
function columnsOf(fields: Fields, reading: ReadingBuilder): readonly string[] | undefined {
  const named = list(fields['attlist']).map((item) => text(nodeOf(item, 'String')?.['sval']) ?? '')
  if (named.length > 0) return named
  const relation = relationName(fields['relation'])
  const [only, ...others] = relation ? reading.names.relations(relation) : []
  const known = only && others.length === 0 ? reading.names.index.relation(only.schema, only.name) : undefined
  return known?.columns.filter(({ generatedFrom }) => generatedFrom === undefined).map(({ name }) => name)
}

function asSelect(fields: Fields, reading: ReadingBuilder): unknown {
  const names = columnsOf(fields, reading)?.map((sval) => [{ String: { sval } }]) ?? [[{ A_Star: {} }]]
  const targetList = names.map((parts) => ({ ResTarget: { val: { ColumnRef: { fields: parts } } } }))
  return { SelectStmt: { targetList, fromClause: [{ RangeVar: rowsOf(fields['relation']) }] } }
}

/** COPY of a table leaves out those that inherit from it. */
function rowsOf(rangeVar: unknown): Fields {
  return { ...fieldsOf(rangeVar), inh: false }
}

function asInsert(fields: Fields, reading: ReadingBuilder): unknown {
  const columns = columnsOf(fields, reading)?.map((name) => ({ ResTarget: { name } }))
  const values = {
    SelectStmt: { valuesLists: [{ List: { items: columns?.map(() => ({ SetToDefault: {} })) ?? [] } }] },
  }
  return {
    InsertStmt: { relation: fields['relation'], ...(columns && { cols: columns }), selectStmt: values },
  }
}

function asCondition(whereClause: unknown): unknown {
  return { SelectStmt: { targetList: [{ ResTarget: { val: withoutColumns(whereClause) } }] } }
}

/** An expression with NULL for every column. */
function withoutColumns(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) return list(node).map(withoutColumns)
  if ('ColumnRef' in node) return { A_Const: { isnull: true } }
  return Object.fromEntries(Object.entries(node).map(([key, below]) => [key, withoutColumns(below)]))
}
