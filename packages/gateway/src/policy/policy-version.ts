import { createHash } from 'node:crypto'
import type { Resources } from './resources.ts'

/**
 * A name for the rules that are in force, the same after a restart: what people approved under one set of rules is not
 * approved under another. Everything that decisions hang on is in it; nothing secret is.
 */
export function policyVersion({ policies, targets, classifications, dataClasses }: Resources): string {
  const definitions = [...targets.values()].map(({ name, protocol, address, database, tags }) => [
    name,
    protocol,
    address.host,
    address.port,
    database,
    Object.entries(tags).toSorted(byName),
  ])
  const everything = [
    policies.map(({ id, text }) => [id, text]).toSorted(byName),
    definitions,
    classifications,
    [...dataClasses.values()],
  ]
  return createHash('sha256').update(JSON.stringify(everything)).digest('hex').slice(0, 32)
}

function byName([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return String(a) < String(b) ? -1 : 1
}
