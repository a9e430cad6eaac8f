import { createHash } from 'node:crypto'
import { SallyportError } from '../../access/errors.ts'

/** NAMEDATALEN - 1. PostgreSQL cuts longer names off silently, and two roles could become one. */
const MAX_NAME_BYTES = 63
const OWNER = /^[0-9a-f]{8}$/
const LEASE_ROLE = /^sp_([0-9a-f]{8})_l_[a-z0-9_]+$/

/** Every attribute that a role of ours must not have, said aloud: none is left to a server's default. */
export const UNPRIVILEGED = 'NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS'

/** Roles of any installation's leases, as a POSIX regular expression for the target. */
export const ANY_LEASE_ROLE = '^sp_[0-9a-f]{8}_l_[a-z0-9_]+$'

/** The login role of a lease: `sp_<owner>_l_<id>`, without the id's own prefix. */
export function leaseRole(owner: string, leaseId: string): string {
  const name = `sp_${owner}_l_${leaseId.replace(/^lea_/, '')}`
  if (!OWNER.test(owner) || !LEASE_ROLE.test(name) || name.length > MAX_NAME_BYTES) {
    throw new SallyportError(
      'LEASE_FAILED',
      `no role can be named after the lease "${leaseId}" of "${owner}"`,
    )
  }
  return name
}

/** What every lease role of this installation begins with. */
export function leaseRolePrefix(owner: string): string {
  return `sp_${owner}_l_`
}

/** What every capability role of this installation begins with. */
export function capabilityRolePrefix(owner: string): string {
  return `sp_${owner}_c_`
}

/**
 * The role that holds a capability's grants. Roles belong to the whole server, grants to one database: the
 * name hangs on both, so that a lease on one database is not a member of what was granted in another that has
 * the same tables.
 */
export function capabilityRole(owner: string, database: string, capabilityHash: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([database, capabilityHash]))
    .digest('hex')
  return `${capabilityRolePrefix(owner)}${hash.slice(0, 12)}`
}

/**
 * The owner in a lease role's name.
 * @throws SallyportError LEASE_FAILED for any other name: a wrong row in the store must never cost a person
 *   their role
 */
export function ownerOfLeaseRole(handle: string): string {
  const owner = LEASE_ROLE.exec(handle)?.[1]
  if (owner === undefined) throw new SallyportError('LEASE_FAILED', `"${handle}" is not the role of a lease`)
  return owner
}

/** A quoted identifier: any characters, exactly as they are. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A string literal. Our connections set standard_conforming_strings, so only the quote needs doubling. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
