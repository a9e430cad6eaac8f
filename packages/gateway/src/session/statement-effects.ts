import type { Catalog, Relation, RelationId } from '../access/catalog.ts'
import type { Operation, StatementReading } from '../access/model.ts'

/** What would happen besides the rows that a statement names, as far as the target's catalog tells. For people to read. */
export interface StatementEffects {
  /** `delete public.orders`, what happens through views, partitions and cascades included. */
  readonly tables: readonly string[]
  /** `orders_audit on public.orders, by public.log_change()` */
  readonly triggers: readonly string[]
  /** `public.lines: deleted with public.orders (lines_order_fkey)` */
  readonly cascades: readonly string[]
  readonly functions: readonly string[]
  /** `no: …`, `yes: …`, `by hand: …` */
  readonly reversible: string
}

const WRITES: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'truncate'])
/** A chain of cascades that is longer is not one that anybody reads. */
const MAX_CASCADES = 50

/** Pure. */
export function effectsOf({ operations, facts }: StatementReading, catalog: Catalog): StatementEffects {
  const relations = new Map(catalog.relations.map((relation) => [nameOf(relation), relation]))
  const writes = operations.flatMap(({ action, resource }) =>
    resource.type === 'Table' && WRITES.has(action)
      ? [{ action, name: `${resource.schema}.${resource.table}` }]
      : [],
  )
  const { cascades, reached } = follow(writes, catalog)
  const fired = [...writes, ...reached]
  const triggers = fired.flatMap(({ action, name }) => triggersOf(relations.get(name), action))
  return {
    tables: [...new Set(operations.flatMap(described))],
    triggers: [...new Set(triggers)],
    cascades,
    functions: facts.functions,
    reversible: reversibility(operations, triggers.length + cascades.length > 0),
  }
}

function nameOf({ schema, name }: RelationId): string {
  return `${schema}.${name}`
}

function described({ action, resource, through }: Operation): readonly string[] {
  if (resource.type !== 'Table') return []
  const by = through === undefined ? '' : ` (${through.by} of ${through.schema}.${through.table})`
  return [`${action} ${resource.schema}.${resource.table}${by}`]
}

function triggersOf(relation: Relation | undefined, action: string): readonly string[] {
  if (relation === undefined) return []
  const fired = relation.triggers
    .filter(({ on }) => on.some((event) => event === action))
    .map((trigger) => `${trigger.name} on ${nameOf(relation)}, by ${nameOf(trigger.function)}()`)
  return relation.hasRules ? [...fired, `a rewrite rule of ${nameOf(relation)}`] : fired
}

interface Write {
  readonly action: string
  readonly name: string
}

/** Foreign keys whose referencing rows are deleted or changed along, from table to table. */
function follow(
  writes: readonly Write[],
  catalog: Catalog,
): { readonly cascades: readonly string[]; readonly reached: readonly Write[] } {
  const cascades: string[] = []
  const reached: Write[] = []
  const seen = new Set<string>()
  const queue = [...writes]
  for (let next = queue.shift(); next !== undefined && cascades.length < MAX_CASCADES; next = queue.shift()) {
    const { action, name } = next
    if (action !== 'delete' && action !== 'update') continue
    if (seen.has(`${action} ${name}`)) continue
    seen.add(`${action} ${name}`)
    for (const relation of catalog.relations) {
      for (const key of relation.foreignKeys) {
        const rule = action === 'delete' ? key.onDelete : key.onUpdate
        if (rule === 'refuses' || nameOf(key.references) !== name) continue
        const deletes = rule === 'cascades' && action === 'delete'
        cascades.push(
          `${nameOf(relation)}: rows are ${deletes ? 'deleted' : 'changed'} with those of ${name} (${key.name})`,
        )
        const write = { action: deletes ? 'delete' : 'update', name: nameOf(relation) }
        reached.push(write)
        queue.push(write)
      }
    }
  }
  return { cascades, reached }
}

function reversibility(operations: readonly Operation[], hasMore: boolean): string {
  const does = new Set(operations.map(({ action }) => action))
  if (does.has('drop')) return 'no: what is dropped is gone with its data, and comes back from a backup only'
  if (does.has('truncate')) return 'no: all rows are gone, and come back from a backup only'
  if (does.has('alter'))
    return 'it depends: a column that is dropped or rewritten comes back from a backup only'
  if (does.has('delete') || does.has('update') || does.has('merge')) {
    return 'no: what was in the rows before is kept nowhere; it comes back from a backup, or from a copy made before'
  }
  if (does.has('insert') || does.has('copyIn')) {
    return hasMore
      ? 'by hand: the inserted rows can be deleted; what triggers did besides has to be looked for'
      : 'by hand: the inserted rows can be deleted, once they are known'
  }
  if (does.has('create')) return 'yes: what is created can be dropped'
  if (does.has('grant') || does.has('revoke')) return 'yes: by the opposite statement'
  return does.has('call') ? 'unknown: a function can do anything' : 'nothing is changed'
}
