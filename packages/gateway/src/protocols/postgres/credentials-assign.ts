import { setTimeout as sleep } from 'node:timers/promises'
import { SallyportError } from '../../access/errors.ts'
import { JOIN_LOCK } from './credentials-capability.ts'
import type { IssuerConnections } from './credentials-connections.ts'
import { isPassing } from './credentials-errors.ts'
import { MAY_CREATE, noteHeir } from './credentials-heir.ts'
import { identifier } from './credentials-names.ts'

const TRIES = 5

const MEMBERSHIPS = `
SELECT u.oid IS NOT NULL AS there, r.rolname AS role, ${MAY_CREATE} AS makes
FROM (SELECT (SELECT oid FROM pg_roles WHERE rolname = $1) AS oid) u
LEFT JOIN pg_auth_members m ON m.member = u.oid
LEFT JOIN pg_roles r ON r.oid = m.roleid`

/**
 * Makes a role a member of these roles and no others, in one transaction: what stays is never missing. A session on it
 * looks at its memberships anew before its next statement.
 * @throws SallyportError LEASE_FAILED when there is no such role; else what `pg` throws
 */
export async function assignRoles(
  connections: IssuerConnections,
  handle: string,
  roles: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const rows = await connections.query<{ there: boolean; role: string | null; makes: boolean }>(
      MEMBERSHIPS,
      signal,
      [handle],
    )
    if (!rows.some(({ there }) => there)) {
      throw new SallyportError('LEASE_FAILED', `there is no temporary role ${handle} any more`)
    }
    const held = new Set(rows.flatMap(({ role }) => role ?? []))
    const missing = roles.filter((role) => !held.has(role))
    const excess = [...held].filter((role) => !roles.includes(role))
    const maker = rows.find(({ role, makes }) => makes && role !== null && excess.includes(role))?.role
    const changes = [
      ...(maker == null ? [] : [noteHeir(handle, maker)]),
      ...(missing.length === 0 ? [] : [JOIN_LOCK, `GRANT ${listOf(missing)} TO ${identifier(handle)}`]),
      ...(excess.length === 0 ? [] : [`REVOKE ${listOf(excess)} FROM ${identifier(handle)}`]),
    ]
    if (changes.length === 0) return
    try {
      // Sent as one query, and so one transaction (PostgreSQL, "Multiple Statements in a Simple Query").
      await connections.query(changes.join('; '), signal)
      if (excess.length === 0) return
      // Looked at once more: REVOKE of what somebody else has granted only warns.
      if (tries === TRIES) throw new SallyportError('LEASE_FAILED', stays(handle, excess))
    } catch (error) {
      if (!isPassing(error) || tries === TRIES) throw error
      await sleep(10 * tries + Math.random() * 20, undefined, { signal })
    }
  }
}

function stays(handle: string, roles: readonly string[]): string {
  return `the temporary role ${handle} cannot be kept from being a member of ${roles.join(', ')}`
}

function listOf(roles: readonly string[]): string {
  return roles.map(identifier).join(', ')
}
