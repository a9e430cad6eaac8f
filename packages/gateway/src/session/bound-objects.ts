import { createHash } from 'node:crypto'
import type { Catalog } from '../access/catalog.ts'
import type { StatementReading } from '../access/model.ts'

/**
 * What a statement is about, as it is on the target now, in one hash: another table by the same name, a view with another
 * query, a trigger that was added meanwhile is something else than what people have approved. Relations and functions that
 * the statement does not touch are not in it: other people's changes need not hold it up.
 */
export function boundObjects(reading: StatementReading, catalog: Catalog): string {
  const names = new Set(
    reading.operations.flatMap(({ resource, through }) => [
      ...(resource.type === 'Table' ? [key(resource.schema, resource.table)] : []),
      ...(through === undefined ? [] : [key(through.schema, through.table)]),
    ]),
  )
  for (const { schema, table } of reading.needs) names.add(key(schema, table))
  const relations = catalog.relations
    .filter(({ schema, name }) => names.has(key(schema, name)))
    .toSorted((a, b) => a.oid - b.oid)
  const called = new Set(reading.facts.functions.map((name) => name.slice(name.lastIndexOf('.') + 1)))
  const functions = catalog.functions.filter(({ name }) => called.has(name.toLowerCase()))
  return createHash('sha256')
    .update(JSON.stringify([relations, functions]))
    .digest('hex')
}

function key(schema: string, name: string): string {
  return JSON.stringify([schema, name])
}
