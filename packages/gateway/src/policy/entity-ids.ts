import type { Principal, PrincipalKind, Resource, Target } from '../access/model.ts'

/** One Cedar entity: its type and its id, as policies write them (`Table::"shop/public.orders"`). */
export interface EntityId {
  readonly type: string
  readonly id: string
}

const PLAIN = /^[A-Za-z_][A-Za-z0-9_$]*$/
const PART = /(?:"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_$]*)/y
const TYPES: Readonly<Record<PrincipalKind, string>> = { user: 'User', agent: 'Agent', service: 'Service' }

/** The gateway itself, on which administration is permitted. */
export const GATEWAY: EntityId = { type: 'Gateway', id: 'sallyport' }

export function principalEntity(principal: Principal): EntityId {
  return { type: TYPES[principal.kind], id: principal.id }
}

export function groupEntity(name: string): EntityId {
  return { type: 'Group', id: name }
}

export function targetEntity(target: Target): EntityId {
  return { type: 'Target', id: target.name }
}

/** `Schema::"shop/public"`; no database in it, because a target has exactly one. */
export function schemaEntity(target: Target, schema: string): EntityId {
  return { type: 'Schema', id: `${target.name}/${part(schema)}` }
}

export function tableEntity(target: Target, schema: string, table: string): EntityId {
  return { type: 'Table', id: `${target.name}/${part(schema)}.${part(table)}` }
}

export function columnEntity(target: Target, schema: string, table: string, column: string): EntityId {
  return { type: 'Column', id: `${target.name}/${part(schema)}.${part(table)}.${part(column)}` }
}

export function dataClassEntity(name: string): EntityId {
  return { type: 'DataClass', id: name }
}

export function databaseEntity(target: Target): EntityId {
  return { type: 'Database', id: `${target.name}/${part(target.database)}` }
}

/** The resource and everything it is in, from the inside out. The last one is always the target, but for a data class. */
export function lineage(target: Target, resource: Resource): Lineage {
  const outermost = targetEntity(target)
  switch (resource.type) {
    case 'Target':
      return [outermost]
    case 'Database':
      return [databaseEntity(target), outermost]
    case 'Schema':
      return [schemaEntity(target, resource.schema), databaseEntity(target), outermost]
    case 'Table':
      return [
        tableEntity(target, resource.schema, resource.table),
        schemaEntity(target, resource.schema),
        databaseEntity(target),
        outermost,
      ]
    case 'DataClass':
      return [dataClassEntity(resource.name), ...resource.within.map(dataClassEntity)]
    default:
      return resource satisfies never
  }
}

/** An entity and all that it is in, from the inside out. */
export type Lineage = readonly [EntityId, ...EntityId[]]

/** A column, its table and what that is in, then its data classes and what those are in. */
export function columnLineage(
  target: Target,
  { schema, table, column }: { readonly schema: string; readonly table: string; readonly column: string },
  classes: readonly string[],
): Lineage {
  return [
    columnEntity(target, schema, table, column),
    ...lineage(target, { type: 'Table', schema, table }),
    ...classes.map(dataClassEntity),
  ]
}

/**
 * The inverse for what policies name: the target, and the parts behind its slash. Undefined for a text that no entity
 * has as its id. `shop/public.orders` → `{ target: 'shop', parts: ['public', 'orders'] }`.
 */
export function partsOf(
  id: string,
): { readonly target: string; readonly parts: readonly string[] } | undefined {
  const slash = id.indexOf('/')
  if (slash < 0) return { target: id, parts: [] }
  const parts: string[] = []
  let at = slash + 1
  for (;;) {
    PART.lastIndex = at
    const text = PART.exec(id)?.[0]
    if (text === undefined) return undefined
    const name = text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text
    // A name that needs no quotes has none: otherwise one table would have two ids, and a policy could miss it.
    if (part(name) !== text) return undefined
    parts.push(name)
    at += text.length
    if (at === id.length) return { target: id.slice(0, slash), parts }
    if (id[at] !== '.') return undefined
    at += 1
  }
}

/** The id of the table that a column is in, and the column's name. Undefined for what is no column's id. */
export function tableOfColumn(id: string): { readonly table: string; readonly column: string } | undefined {
  const [schema, table, column, ...more] = partsOf(id)?.parts ?? []
  if (schema === undefined || table === undefined || column === undefined || more.length > 0) return undefined
  return { table: id.slice(0, id.length - part(column).length - 1), column }
}

/** As policies write it, for messages: `Table::"shop/public.orders"`. */
export function inCedar(entity: EntityId): string {
  return `${entity.type}::${JSON.stringify(entity.id)}`
}

/** Type and id in one string, for sets and maps. Types hold no colon, so that no two entities share one. */
export function entityKey(entity: EntityId): string {
  return `${entity.type}::${entity.id}`
}

function part(name: string): string {
  return PLAIN.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}
