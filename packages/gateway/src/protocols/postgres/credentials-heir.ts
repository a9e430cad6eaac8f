import type { Query } from './credentials-connections.ts'
import {
  capabilityRolePrefix,
  identifier,
  literal,
  ownerOfLeaseRole,
  UNPRIVILEGED,
} from './credentials-names.ts'

/** Whether the role `r` may create something in this database. */
export const MAY_CREATE = `EXISTS (
  SELECT FROM pg_namespace n, aclexplode(n.nspacl) a
  WHERE a.grantee = r.oid AND a.privilege_type = 'CREATE')`

/** The capability's role, of which this one is a member, that may create. */
const MAKER = `
SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = $1) AND starts_with(r.rolname, $2)
  AND ${MAY_CREATE}`

const NOTED = `
SELECT shobj_description(oid, 'pg_authid') AS heir FROM pg_roles
WHERE rolname = $1 AND starts_with(shobj_description(oid, 'pg_authid'), $2)`

/** Which of a lease's memberships lets it make things: that role inherits them. */
export async function heirByMembership(query: Query, handle: string): Promise<string | undefined> {
  const rows = await query<{ rolname: string }>(MAKER, [handle, prefixOf(handle)])
  return rows[0]?.rolname
}

/**
 * The statement that notes, on the lease's role, who is to inherit what it made: the membership is about to end, and what
 * was made by permission must outlive the lease, also when this process does not.
 */
export function noteHeir(handle: string, heir: string): string {
  return `COMMENT ON ROLE ${identifier(handle)} IS ${literal(heir)}`
}

/** The role that was noted, made again if it has been dropped as unused meanwhile. */
export async function notedHeir(query: Query, handle: string): Promise<string | undefined> {
  const [noted] = await query<{ heir: string }>(NOTED, [handle, prefixOf(handle)])
  if (noted === undefined) return undefined
  const there = await query('SELECT FROM pg_roles WHERE rolname = $1', [noted.heir])
  if (there.length === 0) await query(`CREATE ROLE ${identifier(noted.heir)} NOLOGIN INHERIT ${UNPRIVILEGED}`)
  return noted.heir
}

function prefixOf(handle: string): string {
  return capabilityRolePrefix(ownerOfLeaseRole(handle))
}
