import { createHash } from 'node:crypto'
import type { Principal, StatementReading } from '../access/model.ts'
import type { ApprovalBinding } from './ports.ts'

/** Changes whenever what is hashed does, so that no old approval fits a new meaning. */
const VERSION = 'sallyport-approval-1'

/**
 * What an approval is bound to, in one hash. The canonical form of a statement is its text, byte for byte: a looser one
 * would have to be sure that two texts do the same. The reading is in it because the same text does something else when a
 * name has come to stand for another table.
 *
 * Pure. JSON of strings and numbers in fixed places has no two readings, so that no part can be moved into another.
 */
export function approvalDigest(binding: ApprovalBinding): string {
  const { target, database, principal, policyVersion, statement } = binding
  return hashed([
    VERSION,
    target,
    database,
    who(principal),
    policyVersion,
    statement === undefined
      ? null
      : [
          statement.text,
          statement.parameters.map(({ format, type, value }) => [
            format,
            type,
            value === null ? null : value.toString('base64'),
          ]),
          statement.executes.map(({ name, text }) => [name, text]),
          statement.objects ?? null,
          statement.searchPath,
          readingDigest(statement.reading),
        ],
  ])
}

/** The part of a digest that a pattern has in common with all statements that it covers. */
export function readingDigest({
  operations,
  needs,
  facts,
}: Pick<StatementReading, 'operations' | 'needs' | 'facts'>): string {
  const { hasWhere, whereIsTrivial, functions, multi, locksRows, readOnly, reading } = facts
  return hashed([
    canonical(operations),
    canonical(needs),
    [hasWhere, whereIsTrivial, functions, multi, locksRows, readOnly, reading],
  ])
}

/** Two principals with one key are the same one, for the same person. Groups may change; policy is asked about them again. */
export function principalDigest(principal: Principal): string {
  return hashed(who(principal))
}

function who({ kind, id, issuer, subject, actingFor }: Principal): unknown {
  return [kind, id, issuer, subject, actingFor === undefined ? null : who(actingFor)]
}

/** Members sorted by name, so that two objects with the same members are written the same. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => [name, canonical(member)])
}

function hashed(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}
