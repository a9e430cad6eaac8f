import { type Capability, capabilityOf, type Grant, type Verb } from '../access/capability.ts'
import { type Catalog, isSystemSchema } from '../access/catalog.ts'
import type { Operation, StatementReading } from '../access/model.ts'

/** Actions on a table for which PostgreSQL asks for the privilege of the same name on that table, and the columns named. */
const VERBS: Readonly<Partial<Record<Operation['action'], Verb>>> = {
  select: 'select',
  insert: 'insert',
  update: 'update',
  delete: 'delete',
  truncate: 'truncate',
  maintain: 'maintain',
}

/**
 * What a credential has to be given for one statement and nothing else: what the target will check, and what the statement
 * itself names. What happens through something else (below a view, in a cascade) needs no privilege of whoever asks.
 */
export function privilegesFor(reading: StatementReading, catalog: Catalog): Capability {
  const { grants, createIn } = neededBy(reading)
  const columns = new Map(
    catalog.relations.map(({ schema, name, columns: [first] }) => [`${schema}\0${name}`, first?.name]),
  )
  return capabilityOf(
    grants.map((grant) => {
      if (grant.columns?.length !== 0) return grant
      // For `count(*)` PostgreSQL asks for the privilege on any column.
      const { verb, schema, table } = grant
      const first = columns.get(`${schema}\0${table}`)
      return first === undefined ? { verb, schema, table } : { verb, schema, table, columns: [first] }
    }),
    createIn,
  )
}

/** The same as they come: `columns` may be empty, where something is needed on the table and no matter which column. */
export function neededBy({ operations, needs }: StatementReading): {
  readonly grants: readonly Grant[]
  readonly createIn: readonly string[]
} {
  const named = operations.flatMap(({ action, resource, columns, through }): Grant[] => {
    const verb = VERBS[action]
    if (verb === undefined || resource.type !== 'Table' || through !== undefined) return []
    const { schema, table } = resource
    if (isSystemSchema(schema)) return []
    const byColumn = verb === 'select' || verb === 'insert' || verb === 'update'
    return [{ verb, schema, table, ...(byColumn && columns !== undefined ? { columns } : {}) }]
  })
  const createIn = operations.flatMap(({ action, resource }) =>
    action === 'create' && (resource.type === 'Schema' || resource.type === 'Table') ? [resource.schema] : [],
  )
  return { grants: [...needs, ...named], createIn }
}
