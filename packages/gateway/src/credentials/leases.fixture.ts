import { type Capability, capabilityOf } from '../access/capability.ts'
import type { Principal, Target } from '../access/model.ts'
import { Permit } from '../access/permit.ts'
import type { Secret } from '../access/secret.ts'
import type { CredentialIssuer } from '../protocols/contract.ts'
import { PostgresRoleIssuer } from '../protocols/postgres/credentials.ts'
import { connectUpstream } from '../protocols/postgres/upstream.ts'
import { openStore } from '../store/database.ts'
import { StoredLeases } from '../store/leases.ts'
import type { LeasesOptions } from './held-leases.ts'
import { Leases } from './leases.ts'
import type { LeaseEvent, LeaseStore } from './ports.ts'
import { Sweeper } from './sweeper.ts'

export const READ: Capability = capabilityOf([{ verb: 'select', schema: 'public', table: 'customers' }])

export const WRITE: Capability = capabilityOf([{ verb: 'insert', schema: 'public', table: 'customers' }])

export const INSIGHT: Principal = {
  kind: 'agent',
  id: 'insight-agent',
  issuer: 'https://idp.example.com',
  subject: 'insight-agent',
  groups: ['data-science'],
  attributes: {},
}

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** What a gateway has of leases, on a real store and a real target. */
export interface LeaseWorld extends AsyncDisposable {
  readonly owner: string
  readonly store: LeaseStore
  readonly issuer: CredentialIssuer
  readonly leases: Leases
  readonly sweeper: Sweeper
  readonly events: LeaseEvent[]
  readonly clock: { offset: number }
  /** While false, there is nobody at the target's address. */
  reachable: boolean
  permit(): Permit
}

export async function openLeaseWorld(
  storeUrl: Secret,
  target: Target,
  change: (options: LeasesOptions) => LeasesOptions = (options) => options,
): Promise<LeaseWorld> {
  const opened = await openStore({ url: storeUrl, log: quiet })
  const issuer = new PostgresRoleIssuer(target)
  // Port 1 of the loopback: nothing listens there, and nothing but a system's own service ever may.
  const nobody = new PostgresRoleIssuer({ ...target, address: { host: '127.0.0.1', port: 1 } })
  const events: LeaseEvent[] = []
  const clock = { offset: 0 }
  const world = { reachable: true }
  const options = change({
    owner: opened.installationId,
    store: new StoredLeases(opened),
    issuers: (name) => (name === target.name ? (world.reachable ? issuer : nobody) : undefined),
    formerIssuer: () => undefined,
    connect: connectUpstream,
    audit: (event) => void events.push(event),
    log: quiet,
    metrics: { issued: () => undefined, revoked: () => undefined, revokeFailed: () => undefined },
    now: () => Date.now() + clock.offset,
  })
  const leases = new Leases(options)
  const sweeper = new Sweeper({ ...options, targets: () => [target.name], live: leases })
  return Object.assign(world, {
    owner: options.owner,
    store: options.store,
    issuer,
    leases,
    sweeper,
    events,
    clock,
    permit: () =>
      Permit.from({ effect: 'permit', policies: ['readers'], obligations: [] }, INSIGHT, target, new Set()),
    async [Symbol.asyncDispose]() {
      await leases[Symbol.asyncDispose]()
      await sweeper[Symbol.asyncDispose]()
      await issuer[Symbol.asyncDispose]()
      await nobody[Symbol.asyncDispose]()
      await opened[Symbol.asyncDispose]()
    },
  })
}

/**
 * The same object with some of its methods changed; the others run on the original, private fields and all.
 */
export function withChanges<T extends object>(original: T, changes: Partial<T>): T {
  return new Proxy(original, {
    get(of, name) {
      const value: unknown = Reflect.get(Object.hasOwn(changes, name) ? changes : of, name)
      return typeof value === 'function' ? value.bind(of) : value
    },
  })
}
