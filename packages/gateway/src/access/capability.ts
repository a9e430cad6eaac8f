import { createHash } from 'node:crypto'

/** A privilege that a temporary credential needs on a relation. PostgreSQL's privilege words. */
export type Verb = 'select' | 'insert' | 'update' | 'delete' | 'truncate' | 'maintain'

export interface Grant {
  readonly verb: Verb
  readonly schema: string
  readonly table: string
  /** Only these columns, sorted; SELECT, INSERT and UPDATE only. Left out: the whole table, columns to come included. */
  readonly columns?: readonly string[]
}

/** Everything a temporary credential may do on a target, in one canonical order. */
export interface Capability {
  readonly grants: readonly Grant[]
  /** Schemas in which objects may be created. */
  readonly createIn: readonly string[]
  /**
   * Nothing may be written, not even with somebody's approval: the credential's transactions are read-only from the start. A
   * transaction that has begun read-only cannot be made to write once it has looked at anything (PostgreSQL, SET
   * TRANSACTION), so that what people approve in it could not run.
   */
  readonly readOnly: boolean
  /** Hex, 128 bits, of all of the above: equal capabilities share one role on the target. */
  readonly hash: string
}

const WRITES: ReadonlySet<Verb> = new Set(['insert', 'update', 'delete', 'truncate', 'maintain'])

/**
 * Sorts, puts together what is about the same table, and names the result by its hash. The whole table includes its
 * columns; a grant on no column at all is none.
 */
export function capabilityOf(
  grants: readonly Grant[],
  createIn: readonly string[] = [],
  writesIfApproved = false,
): Capability {
  const merged = new Map<string, { readonly grant: Grant; columns: Set<string> | undefined }>()
  for (const grant of grants) {
    const { schema, table, verb, columns } = grant
    const key = JSON.stringify([schema, table, verb])
    const known = merged.get(key)
    if (known === undefined) merged.set(key, { grant, columns: columns && new Set(columns) })
    else if (columns === undefined) known.columns = undefined
    else for (const column of columns) known.columns?.add(column)
  }
  const lines: string[] = []
  const sorted: Grant[] = []
  for (const [key, { grant, columns }] of [...merged].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const { verb, schema, table } = grant
    if (columns === undefined) {
      lines.push(key)
      sorted.push({ verb, schema, table })
    } else if (columns.size > 0) {
      const names = [...columns].toSorted()
      lines.push(JSON.stringify([schema, table, verb, names]))
      sorted.push({ verb, schema, table, columns: names })
    }
  }
  const schemas = [...new Set(createIn)].toSorted()
  const writes = schemas.length > 0 || sorted.some(({ verb }) => WRITES.has(verb))
  const readOnly = !writes && !writesIfApproved
  // A connection that was made ahead for one that only reads is of no use where something may come to be written.
  const hash = createHash('sha256')
    .update(JSON.stringify(writes || readOnly ? [lines, schemas] : [lines, schemas, 'writes if approved']))
    .digest('hex')
    .slice(0, 32)
  return { grants: sorted, createIn: schemas, readOnly, hash }
}

/**
 * What a credential needs for one statement, as far as `permitted` goes. Something that is needed on the table but on none
 * of its columns (`count(*)`) is granted on one that is permitted, or on the table: PostgreSQL asks for any.
 */
export function neededOf(needs: readonly Grant[], permitted: Capability): Capability {
  const byTable = new Map(permitted.grants.map((grant) => [keyOf(grant), grant]))
  return capabilityOf(
    needs.flatMap((need) => {
      const may = byTable.get(keyOf(need))
      if (may === undefined) return []
      if (may.columns === undefined) return [need.columns?.length === 0 ? may : need]
      const allowed = new Set(may.columns)
      if (need.columns === undefined) return [may]
      if (need.columns.length === 0) return [{ ...need, columns: may.columns.slice(0, 1) }]
      return [{ ...need, columns: need.columns.filter((column) => allowed.has(column)) }]
    }),
  )
}

function keyOf({ schema, table, verb }: Grant): string {
  return JSON.stringify([schema, table, verb])
}
