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
  /** Nothing may be written: the credential's transactions are read-only from the start. */
  readonly readOnly: boolean
  /** Hex, 128 bits, of all of the above: equal capabilities share one role on the target. */
  readonly hash: string
}

const WRITES: ReadonlySet<Verb> = new Set(['insert', 'update', 'delete', 'truncate', 'maintain'])

/** Sorts, removes doubles and names the result by its hash. */
export function capabilityOf(grants: readonly Grant[], createIn: readonly string[] = []): Capability {
  const lines = [...new Set(grants.map((g) => JSON.stringify([g.schema, g.table, g.verb])))].toSorted()
  const schemas = [...new Set(createIn)].toSorted()
  const sorted = lines.map((line) => {
    const [schema, table, verb] = JSON.parse(line) as [string, string, Verb]
    return { verb, schema, table }
  })
  const hash = createHash('sha256')
    .update(JSON.stringify([lines, schemas]))
    .digest('hex')
    .slice(0, 32)
  const readOnly = schemas.length === 0 && !sorted.some((g) => WRITES.has(g.verb))
  return { grants: sorted, createIn: schemas, readOnly, hash }
}
