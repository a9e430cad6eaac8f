import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { entityKey } from './entity-ids.ts'

/** The parts of the context that a policy can look at. */
export const CONTEXT_PARTS = [
  'time',
  'purpose',
  'sourceIp',
  'via',
  'session',
  'lastMinute',
  'lastHour',
  'statement',
  'approval',
  'inference',
] as const
export type ContextPart = (typeof CONTEXT_PARTS)[number]

/** What a policy's outcome can depend on, as far as its text shows. Errs on the side of more. */
export interface PolicyUses {
  readonly context: ReadonlySet<ContextPart>
  /** Attributes or tags of some entity are read: the entities must be passed with them. */
  readonly entityData: boolean
  /** Entities written out in it, as `entityKey`s. */
  readonly entities: ReadonlySet<string>
  /** Asks whether something `is Column`: any column can then be told from its table. */
  readonly isColumn: boolean
  /** Facts of the statement that are read (`hasWhere`); `all` where the record is used as a whole. */
  readonly facts: ReadonlySet<string> | 'all'
  /** Constants that a statement's facts may be compared with. */
  readonly numbers: ReadonlySet<number>
  readonly texts: ReadonlySet<string>
}

const READS_ENTITY = new Set(['.', 'has', 'getTag', 'hasTag'])

/** Walks a policy in Cedar's JSON format (docs.cedarpolicy.com/policies/json-format). */
export function usesOf(policy: PolicyJson): PolicyUses {
  const facts = new Set<string>()
  const uses = {
    context: new Set<ContextPart>(),
    entityData: false,
    isColumn: false,
    facts: facts as ReadonlySet<string> | 'all',
    entities: new Set<string>(),
    numbers: new Set<number>(),
    texts: new Set<string>(),
  }
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(walk)
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return
    for (const [key, value] of Object.entries(node)) {
      if (key === 'Var' && value === 'context') {
        for (const part of CONTEXT_PARTS) uses.context.add(part)
        uses.facts = 'all'
      }
      if (key === 'entity_type' && value === 'Column') uses.isColumn = true
      if (key === 'Value') constants(value, uses)
      if (READS_ENTITY.has(key) && !isContextPath(value)) uses.entityData = true
    }
    if ('type' in node && 'id' in node && typeof node.type === 'string' && typeof node.id === 'string') {
      uses.entities.add(entityKey({ type: node.type, id: node.id }))
      return
    }
    const read = contextRead(node)
    if (read === undefined) {
      Object.values(node).forEach(walk)
      return
    }
    for (const part of CONTEXT_PARTS) if (part === read.part) uses.context.add(part)
    if (read.part !== 'statement') return
    if (read.fact === undefined) uses.facts = 'all'
    else facts.add(read.fact)
  }
  walk(policy.principal)
  walk(policy.action)
  walk(policy.resource)
  walk(policy.conditions)
  return uses
}

function constants(value: unknown, uses: { numbers: Set<number>; texts: Set<string> }): void {
  if (typeof value === 'number') uses.numbers.add(value)
  if (typeof value === 'string') uses.texts.add(value)
  if (Array.isArray(value)) for (const item of value) constants(item, uses)
}

/**
 * What `context.part.fact`, `context.part` or `context has part` reads; undefined for any other expression, whose own parts
 * are walked, so that a bare `context` counts as all of it. No `fact`: the part as a whole.
 */
function contextRead(node: object): { readonly part: unknown; readonly fact?: string } | undefined {
  for (const [operator, access] of Object.entries(node)) {
    if (operator !== '.' && operator !== 'has') continue
    if (typeof access !== 'object' || access === null || !('left' in access) || !('attr' in access)) continue
    const path: readonly unknown[] = Array.isArray(access.attr) ? access.attr : [access.attr]
    if (isContext(access.left)) {
      const [part, fact] = path
      // Whether there is a statement is the same for all statements.
      if (typeof fact === 'string') return { part, fact }
      return operator === 'has' ? { part, fact: 'has' } : { part }
    }
    const outer =
      typeof access.left === 'object' && access.left !== null ? contextRead(access.left) : undefined
    if (outer === undefined) continue
    return { part: outer.part, fact: outer.fact ?? String(path[0]) }
  }
  return undefined
}

function isContext(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'Var' in node && node.Var === 'context'
}

/** `context`, or a path into it. The context holds records and values, never entities. */
function isContextPath(access: unknown): boolean {
  let here: unknown = access
  while (typeof here === 'object' && here !== null) {
    if (isContext(here)) return true
    if ('left' in here) here = here.left
    else if ('.' in here) here = here['.']
    else return false
  }
  return false
}
