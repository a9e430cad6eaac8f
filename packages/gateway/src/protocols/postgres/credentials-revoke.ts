import { setTimeout as sleep } from 'node:timers/promises'
import { SallyportError } from '../../access/errors.ts'
import { joinStatement } from './credentials-capability.ts'
import type { IssuerConnections, Query } from './credentials-connections.ts'
import { isPassing, SQLSTATE, sqlstateOf } from './credentials-errors.ts'
import { heirByMembership, notedHeir } from './credentials-heir.ts'
import { identifier, literal, ownerOfLeaseRole } from './credentials-names.ts'

/**
 * A backend looks at its signals between rows and while it waits; one that does not within this time is
 * stuck.
 */
const TERMINATE_MS = 4_000
const FIRST_POLL_MS = 2
const MAX_POLL_MS = 100
/** Two gateways, or a session's end and an administrator, may revoke the same lease at the same time. */
const TRIES = 5

/**
 * Ends and removes a lease's role: NOLOGIN, so that nothing new can begin; then its sessions, because a role
 * can be dropped under a session that goes on reading as the capability it has SET ROLE to; then what it
 * owns; then itself. Each step is committed before the next begins: a login that was let in before the first
 * is seen by the second.
 * @throws SallyportError LEASE_FAILED when a session does not end; else what `pg` throws
 */
export async function revokeRole(
  connections: IssuerConnections,
  handle: string,
  signal: AbortSignal,
): Promise<void> {
  ownerOfLeaseRole(handle)
  for (let tries = 1; ; tries++) {
    try {
      await connections.query(`ALTER ROLE ${identifier(handle)} NOLOGIN`, signal)
      await endSessions(connections, handle, signal)
      await dropRole(connections, handle, signal)
      return
    } catch (error) {
      if (sqlstateOf(error) === SQLSTATE.undefinedObject) return
      if (!isPassing(error) || tries === TRIES) throw error
      await sleep(10 * tries + Math.random() * 20, undefined, { signal })
    }
  }
}

/**
 * Asks again each time round: a backend that was starting when it was first looked for appears a moment
 * later.
 */
async function endSessions(
  connections: IssuerConnections,
  handle: string,
  signal: AbortSignal,
): Promise<void> {
  const terminate = `
    SELECT pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL)
    WHERE usesysid = ${literal(identifier(handle))}::regrole`
  const until = Date.now() + TERMINATE_MS
  for (let wait = FIRST_POLL_MS; ; wait = Math.min(wait * 2, MAX_POLL_MS)) {
    const sessions = await connections.query(terminate, signal)
    if (sessions.length === 0) return
    if (Date.now() > until) {
      throw new SallyportError('LEASE_FAILED', `a session of ${handle} did not end when it was told to`, {
        hint: 'it will be tried again; pg_stat_activity on the target shows what it is doing',
      })
    }
    await sleep(wait, undefined, { signal })
  }
}

async function dropRole(connections: IssuerConnections, handle: string, signal: AbortSignal): Promise<void> {
  const drop = `DROP ROLE ${identifier(handle)}`
  try {
    await connections.query(drop, signal)
  } catch (error) {
    if (sqlstateOf(error) !== SQLSTATE.dependentObjects) throw error
    await connections.transaction(signal, async (query) => {
      await disown(query, handle)
      await query(drop)
    })
  }
}

/**
 * Takes everything from the role. What it made in schemas where its capability may create, or might for an
 * approved statement, is work that somebody was permitted to do, and stays: it goes to the capability's role, and never to the issuer's
 * account, with whose rights a view or a SECURITY DEFINER function would reach everything. All else (large
 * objects, what a mistaken PUBLIC privilege let it make) is dropped.
 */
async function disown(query: Query, handle: string): Promise<void> {
  const [state] = await query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  )
  const version = state?.version ?? 0
  await query(joinStatement(handle, version))
  const heir = (await heirByMembership(query, handle)) ?? (await notedHeir(query, handle))
  if (heir !== undefined) {
    await query(joinStatement(heir, version))
    await query(`REASSIGN OWNED BY ${identifier(handle)} TO ${identifier(heir)}`)
  }
  await query(`DROP OWNED BY ${identifier(handle)}`)
}
