import { NO_USAGE } from '../access/model.ts'
import type { AccessContext, Operation, Target } from '../access/model.ts'
import type { Audit } from '../audit/ports.ts'
import type { DecisionPoint } from '../policy/decision-point.ts'
import type { ResourceFile, ResourceSet, ResourceStore } from '../policy/ports.ts'
import { type CaseResult, PolicyTestsFailed } from '../policy/policy-tests-failed.ts'
import { type ResolveSecret, type Resources, readResources } from '../policy/resources.ts'
import type { Catalogs } from './catalogs.ts'
import type { LiveSession, LiveSessions } from './live-sessions.ts'

const CONNECT: Operation = { action: 'connect', resource: { type: 'Target' } }

/** What is applied, and putting something else into force. Nothing takes effect that could not be read whole. */
export class ResourcesInForce {
  readonly #store: ResourceStore
  readonly #point: DecisionPoint
  readonly #catalogs: Catalogs
  readonly #live: LiveSessions
  readonly #audit: Audit
  readonly #resolve: ResolveSecret
  readonly #test: (resources: Resources) => Promise<readonly CaseResult[]>
  readonly #onChange: () => void

  constructor(options: {
    readonly store: ResourceStore
    readonly point: DecisionPoint
    readonly catalogs: Catalogs
    readonly live: LiveSessions
    readonly audit: Audit
    readonly resolve: ResolveSecret
    /** Runs the cases that are applied beside the policies. */
    readonly test: (resources: Resources) => Promise<readonly CaseResult[]>
    /** After each change: what was made ahead of demand may no longer fit. */
    readonly onChange: () => void
  }) {
    this.#store = options.store
    this.#point = options.point
    this.#catalogs = options.catalogs
    this.#live = options.live
    this.#audit = options.audit
    this.#resolve = options.resolve
    this.#test = options.test
    this.#onChange = options.onChange
  }

  current(): Promise<ResourceSet | undefined> {
    return this.#store.current()
  }

  /**
   * At start: the directory's files if there is one, otherwise what was applied last.
   * @throws ResourcesInvalid
   */
  async load(directory: readonly ResourceFile[] | undefined): Promise<void> {
    const kept = await this.#store.current()
    const files = directory ?? kept?.files ?? []
    this.#point.swap(readResources(files, this.#resolve))
    if (directory !== undefined && !sameFiles(directory, kept?.files ?? [])) {
      const { version } = await this.#store.replace(directory, kept?.version ?? 0, 'gateway start')
      this.#audit({ type: 'resources.apply', detail: { version, by: 'gateway start' } })
    }
  }

  /**
   * Reads, keeps and puts into force. Sessions that policy no longer permits, and those on a target that was redefined, end
   * at once; `onChange` sees to what the others may do. Who asked for it writes the audit event.
   * @throws ResourcesInvalid with every problem; PolicyTestsFailed; SallyportError RESOURCE_CONFLICT
   */
  async apply(files: readonly ResourceFile[], expected: number, appliedBy: string): Promise<ResourceSet> {
    const resources = readResources(files, this.#resolve)
    const results = await this.#test(resources)
    if (results.some(({ differences }) => differences.length > 0)) throw new PolicyTestsFailed(results)
    const set = await this.#store.replace(files, expected, appliedBy)
    this.#point.swap(resources)
    this.#catalogs.forget((target) => {
      const current = resources.targets.get(target.name)
      return current !== undefined && isSame(current, target)
    })
    this.#live.recheck((session) => this.#deniedNow(session))
    this.#onChange()
    return set
  }

  #deniedNow(session: LiveSession): string | undefined {
    const target = this.#point.resources.targets.get(session.target.name)
    if (target === undefined) return `there is no target "${session.target.name}" any more`
    if (!isSame(target, session.target)) return `the target "${target.name}" was redefined`
    // How much was done of late keeps nobody from what is open already: each statement is decided on by itself.
    const context: AccessContext = { ...session.context, now: Date.now(), usage: NO_USAGE }
    const decision = this.#point.decide({ principal: session.principal, target, operation: CONNECT, context })
    return decision.effect === 'deny' ? decision.reason : undefined
  }
}

/**
 * Whether a session on the one is as good as one on the other. Not so with other tags, by which policy would go on to decide
 * as they were, or at another address. The gateway's own account there is none of the session's.
 */
function isSame(one: Target, other: Target): boolean {
  const definition = ({ protocol, address, database, tls, tags, recording }: Target): string =>
    JSON.stringify([protocol, address, database, tls, tags, recording])
  return definition(one) === definition(other)
}

function sameFiles(a: readonly ResourceFile[], b: readonly ResourceFile[]): boolean {
  const texts = new Map(b.map((file) => [file.path, file.text]))
  return a.length === b.length && a.every((file) => texts.get(file.path) === file.text)
}
