import { randomUUID } from 'node:crypto'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { PrincipalConstraint, ResourceConstraint } from '@cedar-policy/cedar-wasm/nodejs'
import { LRUCache } from 'lru-cache'
import { SallyportError } from '../access/errors.ts'
import { ACTION_GROUPS } from './cedar-schema.ts'
import { entityKey, tableOfColumn } from './entity-ids.ts'
import type { EntityId, Lineage } from './entity-ids.ts'
import type { ContextPart, PolicyUses } from './policy-uses.ts'
import { usesOf } from './policy-uses.ts'
import type { Policy } from './read-policies.ts'

/** The policies that can say anything about one kind of request, parsed and kept inside Cedar under `name`. */
export interface Slice {
  /** Undefined when there are none: the request is denied by default. */
  readonly name: string | undefined
  readonly context: ReadonlySet<ContextPart>
  readonly entityData: boolean
  /** A group of actions is named: the action must be passed with the group it is in. */
  readonly actionGroups: boolean
  /** Everything that its policies name, as `entityKey`s. */
  readonly named: ReadonlySet<string>
  readonly uses: readonly PolicyUses[]
  /** Some policy in it permits something: without, every answer is a denial. */
  readonly permits: boolean
}

/**
 * Which policies are asked about a column: those that speak of it, by its name or a data class of it, are asked about the
 * column itself; all others are asked about its table, because nothing in them was written with columns in mind
 * (`resource == Table::"…"` would miss every column).
 */
export interface Speaking {
  /** The column and its data classes, as `entityKey`s. */
  readonly of: readonly string[]
  /** Those that do, or those that do not. */
  readonly does: boolean
}

const GROUPS = [...new Set(Object.values(ACTION_GROUPS))].map((id) => entityKey({ type: 'Action', id }))

interface Indexed {
  readonly policy: Policy
  readonly uses: PolicyUses
  /** Undefined: any action. */
  readonly actions: readonly string[] | undefined
  readonly principal: Scope
  readonly resource: Scope
}

/** What a scope asks for: entities of a type, or in one (or that one itself). Undefined: any. */
interface Scope {
  readonly type: string | undefined
  readonly within: string | undefined
}

/**
 * Cedar evaluates every policy of a set (about 2 µs each), so a request is asked only of those whose scope can match
 * it: a superset, because Cedar checks the scopes again. A slice that left out a matching `forbid` would fail open;
 * `policy-slices.test.ts` compares with the whole set.
 */
export class PolicySlices {
  readonly #indexed: readonly Indexed[]
  readonly #mentioned: ReadonlySet<string>
  /** Some policy asks whether a resource `is Column`: every column can then be told from its table. */
  readonly tellsAllColumns: boolean
  /** By the id of their table. */
  readonly #columnsOf: ReadonlyMap<string, readonly string[]>
  readonly #prefix = `sallyport-${randomUUID()}-`
  readonly #free: string[] = []
  #names = 0
  /** By (action, principal and groups). */
  readonly #candidates = new LRUCache<string, readonly Indexed[]>({ max: 1024 })
  /** By the policies in it. Cedar keeps what was parsed until it is overwritten: the bound is on its memory. */
  readonly #slices = new LRUCache<string, Slice>({
    max: 256,
    dispose: (slice) => this.#release(slice),
  })

  constructor(policies: readonly Policy[]) {
    this.#indexed = policies.map((policy) => ({
      policy,
      uses: usesOf(policy.json),
      actions: actionsOf(policy),
      principal: scopeOf(policy.json.principal),
      resource: scopeOf(policy.json.resource),
    }))
    this.#mentioned = namedBy(this.#indexed)
    this.#columnsOf = columnsIn(this.#mentioned)
    this.tellsAllColumns = this.#indexed.some(({ uses }) => uses.isColumn)
  }

  /** What all policies together may read of the context. */
  contextUse(): ReadonlySet<ContextPart> {
    return union(this.#indexed)
  }

  /** Whether some policy names this entity, in its scope or in a condition. */
  mentions(entity: EntityId): boolean {
    return this.#mentioned.has(entityKey(entity))
  }

  /** The columns of a table that policies name. */
  columnsNamed(table: EntityId): readonly string[] {
    return this.#columnsOf.get(table.id) ?? []
  }

  /**
   * @param action the action's own name and its groups'
   * @param principal the principal, then its groups
   * @param resource the resource, then everything it is in
   * @param speaking left out: all policies
   */
  sliceFor(
    action: readonly EntityId[],
    principal: readonly [EntityId, ...EntityId[]],
    resource: Lineage,
    speaking?: Speaking,
  ): Slice {
    const key = JSON.stringify([action[0]?.id, principal.map(entityKey)])
    let candidates = this.#candidates.get(key)
    if (candidates === undefined) {
      const actions = new Set(action.map(entityKey))
      const principals = new Set(principal.map(entityKey))
      const { type } = principal[0]
      candidates = this.#indexed.filter(
        (indexed) =>
          (indexed.actions?.some((name) => actions.has(name)) ?? true) &&
          matches(indexed.principal, type, principals),
      )
      this.#candidates.set(key, candidates)
    }
    const resources = new Set(resource.map(entityKey))
    const { type } = resource[0]
    const matching = candidates.filter(
      (indexed) =>
        matches(indexed.resource, type, resources) &&
        (speaking === undefined || speaks(indexed, speaking.of) === speaking.does),
    )
    return this.#sliceOf(matching)
  }

  /** Frees what Cedar holds for these slices. Nothing may be asked of them afterwards. */
  [Symbol.dispose](): void {
    this.#slices.clear()
    this.#candidates.clear()
  }

  #sliceOf(matching: readonly Indexed[]): Slice {
    // No id holds a line feed.
    const key = matching.map(({ policy }) => policy.id).join('\n')
    const known = this.#slices.get(key)
    if (known !== undefined) return known
    const named = namedBy(matching)
    const slice: Slice = {
      ...this.#parse(matching),
      named,
      uses: matching.map(({ uses }) => uses),
      actionGroups: GROUPS.some((group) => named.has(group)),
      permits: matching.some(({ policy }) => policy.effect === 'permit'),
    }
    this.#slices.set(key, slice)
    return slice
  }

  #parse(matching: readonly Indexed[]): Pick<Slice, 'name' | 'context' | 'entityData'> {
    const context = union(matching)
    const entityData = matching.some(({ uses }) => uses.entityData)
    if (matching.length === 0) return { name: undefined, context, entityData }
    const name = this.#free.pop() ?? `${this.#prefix}${this.#names++}`
    const staticPolicies = Object.fromEntries(matching.map(({ policy }) => [policy.id, policy.text]))
    const parsed = cedar.preparsePolicySet(name, { staticPolicies })
    if (parsed.type === 'failure') {
      const cause = new Error(parsed.errors.map((error) => error.message).join('; '))
      throw new SallyportError('INTERNAL', 'policies that were valid cannot be parsed again', { cause })
    }
    return { name, context, entityData }
  }

  /** Cedar has no way to forget a set; an empty one in its place takes no room to speak of. */
  #release(slice: Slice): void {
    if (slice.name === undefined) return
    cedar.preparsePolicySet(slice.name, { staticPolicies: {} })
    this.#free.push(slice.name)
  }
}

function columnsIn(mentioned: ReadonlySet<string>): ReadonlyMap<string, readonly string[]> {
  const columns = new Map<string, string[]>()
  for (const entity of mentioned) {
    if (!entity.startsWith(COLUMN)) continue
    const named = tableOfColumn(entity.slice(COLUMN.length))
    if (named === undefined) continue
    columns.set(named.table, [...(columns.get(named.table) ?? []), named.column])
  }
  return columns
}

const COLUMN = 'Column::'

function speaks({ uses }: Indexed, of: readonly string[]): boolean {
  return uses.isColumn || of.some((entity) => uses.entities.has(entity))
}

function union(indexed: readonly Indexed[]): ReadonlySet<ContextPart> {
  return new Set(indexed.flatMap(({ uses }) => [...uses.context]))
}

function namedBy(indexed: readonly Indexed[]): ReadonlySet<string> {
  return new Set(indexed.flatMap(({ uses }) => [...uses.entities]))
}

function actionsOf({ json }: Policy): readonly string[] | undefined {
  const scope = json.action
  if ('entities' in scope) return scope.entities.map(keyOf)
  return 'entity' in scope ? [keyOf(scope.entity)] : undefined
}

function scopeOf(scope: PrincipalConstraint | ResourceConstraint): Scope {
  const type = scope.op === 'is' ? scope.entity_type : undefined
  const within = scope.op === 'is' ? scope.in : scope
  return { type, within: within !== undefined && 'entity' in within ? keyOf(within.entity) : undefined }
}

function matches(scope: Scope, type: string, known: ReadonlySet<string>): boolean {
  if (scope.type !== undefined && scope.type !== type) return false
  return scope.within === undefined || known.has(scope.within)
}

function keyOf(entity: { __entity: { type: string; id: string } } | { type: string; id: string }): string {
  return entityKey('__entity' in entity ? entity.__entity : entity)
}
