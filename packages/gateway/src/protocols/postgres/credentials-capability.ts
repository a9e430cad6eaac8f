import { setTimeout as sleep } from 'node:timers/promises'
import type { Capability } from '../../access/capability.ts'
import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'
import type { IssuerConnections, Query } from './credentials-connections.ts'
import { isPassingOrGone, issuerError } from './credentials-errors.ts'
import { changeStatements, describePrivilege, grantDifference, type Privilege } from './credentials-grants.ts'
import { identifier, UNPRIVILEGED } from './credentials-names.ts'

/**
 * One role is made at a time per database: two GRANTs on one table at once end in "tuple concurrently updated".
 */
export const CAPABILITY_LOCK = 'SELECT pg_advisory_xact_lock(1396788556, 1)'
/**
 * Held by whoever makes a role a member of a capability's. Whoever drops that one as unused takes it alone for the last look:
 * DROP ROLE ends without a word the memberships that came about since, and their sessions would be left with nothing. Another
 * database's issuer does not share the lock, and drops only what has no grants.
 */
export const JOIN_LOCK = 'SELECT pg_advisory_xact_lock_shared(1396788556, 2)'
/**
 * Every lease that is being made waits for it: nobody's lock on the role, and no connection that fell silent, may keep it for
 * longer than they wait.
 */
export const LAST_LOOK_LOCK = `SET LOCAL lock_timeout = '200ms'; SET LOCAL idle_in_transaction_session_timeout = '2s';
SELECT pg_advisory_xact_lock(1396788556, 2)`
/** Other people's DDL can still be in the way. */
const TRIES = 5
/** A slow caller's deadline must not fail the others that wait for the same role. */
const MAKE_MS = 20_000
/** Enough names in a message to see what it is about. */
const MAX_NAMED = 5

/**
 * Anything that could make a capability role more than its table of grants: attributes, memberships,
 * privileges on other kinds of objects, in other databases, or with the right to pass them on.
 * $1: the role's name.
 */
const BEYOND = `
WITH me AS (SELECT * FROM pg_roles WHERE rolname = $1)
SELECT 'it has role attributes' AS what FROM me
WHERE rolsuper OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
UNION ALL
SELECT 'it is a member of ' || m.roleid::regrole FROM pg_auth_members m WHERE m.member = (SELECT oid FROM me)
UNION ALL
SELECT 'it may use ' || coalesce(pg_describe_object(d.classid, d.objid, d.objsubid), 'something')
FROM pg_shdepend d
WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM me) AND d.deptype = 'a'
  AND NOT (d.classid IN ('pg_class'::regclass, 'pg_namespace'::regclass)
    AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL
SELECT 'it may pass on ' || a.privilege_type || ' on ' || c.oid::regclass
FROM pg_shdepend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid,
  aclexplode(c.relacl) a
WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM me) AND d.deptype = 'a'
  AND a.grantee = (SELECT oid FROM me) AND a.is_grantable AND c.relowner <> a.grantee
UNION ALL
SELECT 'it may pass on ' || a.privilege_type || ' (' || t.attname || ') on ' || c.oid::regclass
FROM pg_shdepend d
JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum = d.objsubid,
  aclexplode(t.attacl) a
WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM me) AND d.deptype = 'a'
  AND a.grantee = (SELECT oid FROM me) AND a.is_grantable AND c.relowner <> a.grantee
LIMIT 5`

export interface IssuerLog {
  warn(fields: object, message: string): void
}

/** The roles that hold the grants: made when first needed, compared with their capability once per start. */
export class CapabilityRoles {
  readonly #target: Target
  readonly #connections: IssuerConnections
  readonly #log: IssuerLog | undefined
  readonly #ready = new Map<string, Promise<void>>()

  constructor(target: Target, connections: IssuerConnections, log: IssuerLog | undefined) {
    this.#target = target
    this.#connections = connections
    this.#log = log
  }

  /**
   * Resolves when the role is there with exactly its grants, less those that the issuer's account may not
   * pass on: what the account lacks, the target refuses the session, in its own words.
   * @throws SallyportError TARGET_ISSUER_FAILED also when somebody gave the role more, and it cannot be taken
   *   away
   */
  ensure(role: string, capability: Capability): Promise<void> {
    const known = this.#ready.get(role)
    if (known !== undefined) return known
    const making = this.#make(role, capability).catch((error: unknown) => {
      if (this.#ready.get(role) === making) this.#ready.delete(role)
      throw error
    })
    this.#ready.set(role, making)
    return making
  }

  /** Compares it again at its next use. Without a name: all of them. */
  forget(role?: string): void {
    if (role === undefined) this.#ready.clear()
    else this.#ready.delete(role)
  }

  async #make(role: string, capability: Capability): Promise<void> {
    const signal = AbortSignal.timeout(MAKE_MS)
    for (let tries = 1; ; tries++) {
      try {
        const ungrantable = await this.#connections.transaction(signal, (query) =>
          reconcile(query, role, capability),
        )
        this.#warn(role, ungrantable)
        return
      } catch (error) {
        if (!isPassingOrGone(error) || tries === TRIES) {
          throw issuerError(this.#target, 'make the role that holds the grants', error)
        }
        await sleep(10 * tries + Math.random() * 20)
      }
    }
  }

  #warn(role: string, ungrantable: readonly Privilege[]): void {
    if (ungrantable.length === 0) return
    const named = ungrantable.slice(0, MAX_NAMED).map(describePrivilege)
    this.#log?.warn(
      { target: this.#target.name, role, missing: ungrantable.length, privileges: named },
      "policy permits more than the issuer's account may pass on; the target will refuse that to sessions",
    )
  }
}

async function reconcile(query: Query, role: string, capability: Capability): Promise<readonly Privilege[]> {
  await query(CAPABILITY_LOCK)
  const [state] = await query<{ version: number; there: boolean }>(
    `SELECT current_setting('server_version_num')::int AS version,
       EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS there`,
    [role],
  )
  if (state === undefined)
    throw new SallyportError('TARGET_ISSUER_FAILED', 'the target did not say its version')
  const { version, there } = state
  if (!there) {
    await query(`CREATE ROLE ${identifier(role)} NOLOGIN INHERIT ${UNPRIVILEGED}`)
  }
  // What a lease creates is left to this role; the account must be able to grant it to others.
  if (capability.createIn.length > 0) await query(joinStatement(role, version))
  const { missing, excess, ungrantable } = await grantDifference(query, role, capability, version)
  const changes = [...changeStatements('REVOKE', excess, role), ...changeStatements('GRANT', missing, role)]
  if (changes.length > 0) await query(changes.join(';\n'))
  if (there) await refuseBeyond(query, role, capability, version)
  return ungrantable
}

async function refuseBeyond(
  query: Query,
  role: string,
  capability: Capability,
  version: number,
): Promise<void> {
  const beyond = (await query<{ what: string }>(BEYOND, [role])).map(({ what }) => what)
  const { excess, irrevocable } = await grantDifference(query, role, capability, version)
  const all = [
    ...beyond,
    ...[...excess, ...irrevocable].map((privilege) => `it has ${describePrivilege(privilege)}`),
  ]
  if (all.length === 0) return
  throw new SallyportError(
    'TARGET_ISSUER_FAILED',
    `the role ${role} can do more than policy permits: ${all.slice(0, MAX_NAMED).join('; ')}`,
    { hint: `somebody has changed it: as a superuser, DROP OWNED BY ${role}; DROP ROLE ${role}` },
  )
}

/**
 * Makes the issuer's account a member that can act for the role. PostgreSQL 16 began to tell the two apart.
 */
export function joinStatement(role: string, serverVersion: number): string {
  const inherit = serverVersion >= 160_000 ? ' WITH INHERIT TRUE' : ''
  return `GRANT ${identifier(role)} TO CURRENT_USER${inherit}`
}
