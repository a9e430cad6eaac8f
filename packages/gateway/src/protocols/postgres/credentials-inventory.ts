import { capabilityOf } from '../../access/capability.ts'
import { CAPABILITY_LOCK, LAST_LOOK_LOCK } from './credentials-capability.ts'
import { type IssuerConnections, type Query, Undo } from './credentials-connections.ts'
import { changeStatements, grantDifference } from './credentials-grants.ts'
import { ANY_LEASE_ROLE, capabilityRolePrefix, identifier, leaseRolePrefix } from './credentials-names.ts'

/** Roles are counted in hundreds; more than this in one answer is swept in the next round. */
const MAX_LISTED = 10_000

const NOTHING = capabilityOf([])

const LEASE_ROLES = `
SELECT rolname AS handle, CASE WHEN isfinite(rolvaliduntil) THEN rolvaliduntil END AS until FROM pg_roles
WHERE starts_with(rolname, $1) OR (rolname ~ $2 AND rolvaliduntil < now())
ORDER BY rolvaliduntil LIMIT ${MAX_LISTED}`

/**
 * In this database, or in none: of an installation's other databases on the same server, their own issuers
 * take care.
 */
const UNUSED = `
SELECT r.rolname FROM pg_roles r
WHERE starts_with(r.rolname, $1) AND ($2::text IS NULL OR r.rolname = $2)
  AND NOT EXISTS (
    SELECT FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member
    WHERE m.roleid = r.oid AND u.rolname <> current_user)
  AND NOT EXISTS (
    SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
      AND (d.deptype = 'o' OR d.dbid <> (SELECT oid FROM pg_database WHERE datname = current_database())))
LIMIT ${MAX_LISTED}`

/** Lease roles of one owner, and expired ones of any. */
export async function listLeaseRoles(
  connections: IssuerConnections,
  owner: string,
  signal: AbortSignal,
): Promise<readonly { handle: string; expiresAt: Date | undefined }[]> {
  const rows = await connections.query<{ handle: string; until: Date | null }>(LEASE_ROLES, signal, [
    leaseRolePrefix(owner),
    ANY_LEASE_ROLE,
  ])
  return rows.map(({ handle, until }) => ({ handle, expiresAt: until ?? undefined }))
}

/** Names of an owner's capability roles that have no members and own nothing. */
export async function unusedCapabilityRoles(
  connections: IssuerConnections,
  owner: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const rows = await connections.query<{ rolname: string }>(UNUSED, signal, [
    capabilityRolePrefix(owner),
    null,
  ])
  return rows.map((row) => row.rolname)
}

/**
 * Drops a capability role, if it is still unused. Its grants are revoked one by one: DROP OWNED would ask for
 * every privilege there is on an object of which the account may pass on one.
 * @returns whether it did
 */
export async function dropCapabilityRole(
  connections: IssuerConnections,
  owner: string,
  role: string,
  signal: AbortSignal,
): Promise<boolean> {
  const isUnused = async (query: Query): Promise<boolean> =>
    (await query(UNUSED, [capabilityRolePrefix(owner), role])).length > 0
  try {
    return await connections.transaction(signal, async (query) => {
      await query(CAPABILITY_LOCK)
      if (!(await isUnused(query))) return false
      const { excess } = await grantDifference(query, role, NOTHING, 0)
      if (excess.length > 0) await query(changeStatements('REVOKE', excess, role).join(';\n'))
      await query(LAST_LOOK_LOCK)
      if (!(await isUnused(query))) throw new Undo()
      await query(`DROP ROLE ${identifier(role)}`)
      return true
    })
  } catch (error) {
    if (error instanceof Undo) return false
    throw error
  }
}
