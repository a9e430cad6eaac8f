import { randomBytes } from 'node:crypto'
import type { Capability } from '../../access/capability.ts'
import type { Catalog } from '../../access/catalog.ts'
import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'
import { Secret } from '../../access/secret.ts'
import type { Credential, CredentialIssuer, CredentialPlan } from '../contract.ts'
import { catalogFingerprint, isComplete, readCatalog } from './catalog.ts'
import { CapabilityRoles, type IssuerLog, JOIN_LOCK } from './credentials-capability.ts'
import { IssuerConnections } from './credentials-connections.ts'
import { isPassing, issuerError, SQLSTATE, sqlstateOf } from './credentials-errors.ts'
import { assignRoles } from './credentials-assign.ts'
import { dropCapabilityRole, listLeaseRoles, unusedCapabilityRoles } from './credentials-inventory.ts'
import {
  capabilityRole,
  identifier,
  leaseRole,
  literal,
  ownerOfLeaseRole,
  UNPRIVILEGED,
} from './credentials-names.ts'
import { revokeRole } from './credentials-revoke.ts'
import { checkIssuer, type IssuerFinding } from './issuer-check.ts'
import { scramVerifier } from './scram-verifier.ts'

/** 192 bits: beyond guessing, so that one iteration of SCRAM is enough. */
const SECRET_BYTES = 24
/** The capability's role may be dropped as unused meanwhile, or being looked at for that. */
const TRIES = 3

/**
 * Temporary PostgreSQL roles. A lease is a LOGIN role that can be used once at a time, until a moment, and is
 * a member of one NOLOGIN role that holds its capability's grants: grants made to each lease would grow every
 * table's ACL without end.
 *
 * What PUBLIC may do on the target, a lease may do too: read system catalogs, make temporary tables, call
 * functions that are open to all. PostgreSQL has no way to take that from one role; a target that minds
 * revokes it from PUBLIC.
 */
export class PostgresRoleIssuer implements CredentialIssuer {
  readonly #target: Target
  readonly #connections: IssuerConnections
  readonly #capabilities: CapabilityRoles
  readonly #log: IssuerLog | undefined
  /** What is being done on the target just now. */
  readonly #working = new Set<Promise<unknown>>()
  #known: { readonly fingerprint: string; readonly catalog: Catalog } | undefined

  constructor(target: Target, log?: IssuerLog) {
    this.#target = target
    this.#log = log
    this.#connections = new IssuerConnections(target)
    this.#capabilities = new CapabilityRoles(target, this.#connections, log)
  }

  /** @throws SallyportError LEASE_FAILED when owner or id cannot be part of a role's name */
  plan(owner: string, leaseId: string, capability: Capability, expiresAt: Date): CredentialPlan {
    return { leaseId, handle: leaseRole(owner, leaseId), capability, expiresAt }
  }

  /** @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED, LIMIT_REACHED */
  async issue(plan: CredentialPlan, signal: AbortSignal): Promise<Credential> {
    const { handle, capability } = plan
    const holder = this.#capabilityRole(ownerOfLeaseRole(handle), capability.hash)
    const secret = new Secret(randomBytes(SECRET_BYTES).toString('base64url'))
    const create = createRole(plan, holder, scramVerifier(secret))
    return await this.#doing('make a temporary role', async () => {
      await this.#capabilities.ensure(holder, capability)
      for (let tries = 1; ; tries++) {
        try {
          await this.#connections.query(create, signal)
          break
        } catch (error) {
          const state = sqlstateOf(error)
          if (tries === TRIES) throw error
          if (state === SQLSTATE.undefinedObject) {
            this.#capabilities.forget(holder)
            await this.#capabilities.ensure(holder, capability)
          } else if (state === SQLSTATE.duplicateObject) {
            // An earlier attempt whose answer was lost: nobody knows its secret.
            await revokeRole(this.#connections, handle, signal)
          } else if (!isPassing(error)) throw error
        }
      }
      return { username: handle, secret, readOnly: capability.readOnly }
    })
  }

  /** @throws SallyportError LEASE_FAILED, TARGET_UNREACHABLE, TARGET_ISSUER_FAILED */
  async revoke(handle: string, signal: AbortSignal): Promise<void> {
    await this.#doing('remove a temporary role', () => revokeRole(this.#connections, handle, signal))
  }

  /**
   * Makes the role a member of exactly these capabilities' roles. One that is on it feels it with its next statement; what
   * it keeps, it has at every moment in between.
   * @throws SallyportError LEASE_FAILED when there is no such role (any more), TARGET_UNREACHABLE, TARGET_ISSUER_FAILED
   */
  async assign(
    handle: string,
    capability: Capability,
    extra: readonly Capability[],
    signal: AbortSignal,
  ): Promise<void> {
    const owner = ownerOfLeaseRole(handle)
    const wanted = new Map([capability, ...extra].map((one) => [this.#capabilityRole(owner, one.hash), one]))
    const ensure = (): Promise<unknown> =>
      Promise.all([...wanted].map(([holder, one]) => this.#capabilities.ensure(holder, one)))
    await this.#doing('change what a temporary role may do', async () => {
      await ensure()
      try {
        await assignRoles(this.#connections, handle, [...wanted.keys()], signal)
      } catch (error) {
        if (sqlstateOf(error) !== SQLSTATE.undefinedObject) throw error
        // A capability's role that nobody was using has just been dropped.
        for (const holder of wanted.keys()) this.#capabilities.forget(holder)
        await ensure()
        await assignRoles(this.#connections, handle, [...wanted.keys()], signal)
      }
    })
  }

  async list(
    owner: string,
    signal: AbortSignal,
  ): Promise<readonly { handle: string; expiresAt: Date | undefined }[]> {
    return await this.#doing('list temporary roles', () => listLeaseRoles(this.#connections, owner, signal))
  }

  /** @param keep hashes of capabilities */
  async tidy(owner: string, keep: ReadonlySet<string>, signal: AbortSignal): Promise<number> {
    const kept = new Set([...keep].map((hash) => this.#capabilityRole(owner, hash)))
    return await this.#doing('drop unused roles', async () => {
      const unused = await unusedCapabilityRoles(this.#connections, owner, signal)
      let dropped = 0
      for (const role of unused) {
        if (kept.has(role)) continue
        this.#capabilities.forget(role)
        try {
          if (await dropCapabilityRole(this.#connections, owner, role, signal)) dropped++
        } catch (error) {
          // Somebody else gave it something, or holds a lock on it. It can do no harm without members, and must not keep the
          // others.
          const hasDependents = sqlstateOf(error) === SQLSTATE.dependentObjects
          if (!hasDependents && !isPassing(error)) throw error
          this.#log?.warn(
            { target: this.#target.name, role },
            `an unused role cannot be dropped: ${hasDependents ? 'others made grants to it' : 'somebody is at work on it'}`,
          )
        }
      }
      return dropped
    })
  }

  /** The same object while nothing has changed, which costs the target little to find out. */
  async catalog(signal: AbortSignal): Promise<Catalog> {
    return await this.#doing('read the catalog', async () => {
      const before = this.#known
      const now = await this.#connections.transaction(signal, async (query) => {
        // As of one moment: what is read in several steps must fit together.
        await query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
        const fingerprint = await catalogFingerprint(query)
        if (fingerprint === before?.fingerprint) return before
        const catalog = await readCatalog(query)
        // The server's configuration is of no moment: it may have been reloaded between the two.
        const isOfThis = isComplete(catalog) && fingerprint === (await catalogFingerprint(query))
        return { fingerprint: isOfThis ? fingerprint : '', catalog }
      })
      // A table that was dropped and made again has lost its grants.
      if (now.catalog.version !== this.#known?.catalog.version) this.#capabilities.forget()
      this.#known = now
      return now.catalog
    })
  }

  async check(signal: AbortSignal): Promise<readonly IssuerFinding[]> {
    return await checkIssuer(this.#target, this.#connections, signal)
  }

  /** Waits for what is being done: a session would be ended for a change of its privileges that is cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#working.size > 0) await Promise.allSettled(this.#working)
    await this.#connections[Symbol.asyncDispose]()
  }

  #capabilityRole(owner: string, hash: string): string {
    return capabilityRole(owner, this.#target.database, hash)
  }

  async #doing<T>(doing: string, work: () => Promise<T>): Promise<T> {
    const working = work()
    this.#working.add(working)
    try {
      return await working
    } catch (error) {
      throw issuerError(this.#target, doing, error)
    } finally {
      this.#working.delete(working)
    }
  }
}

/**
 * INHERIT, because a client knows nothing of the capability's role, and could not be told to SET ROLE to it. Sent as one
 * query, and so one transaction (PostgreSQL, "Multiple Statements in a Simple Query").
 */
function createRole(plan: CredentialPlan, holder: string, verifier: string): string {
  if (Number.isNaN(plan.expiresAt.getTime())) throw new SallyportError('LEASE_FAILED', 'a lease needs an end')
  return [
    `${JOIN_LOCK}; CREATE ROLE ${identifier(plan.handle)} LOGIN INHERIT ${UNPRIVILEGED} CONNECTION LIMIT 1`,
    `VALID UNTIL ${literal(plan.expiresAt.toISOString())}`,
    `PASSWORD ${literal(verifier)} IN ROLE ${identifier(holder)}`,
  ].join(' ')
}
