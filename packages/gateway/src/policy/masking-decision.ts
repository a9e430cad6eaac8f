import type { ApprovalNeed } from '../access/approval.ts'
import type { DataFlow, InferenceKind, OutputColumn, SourceColumn } from '../access/data-flow.ts'
import { holdsDefinitions } from '../access/definition-columns.ts'
import { DETECTED } from '../access/masking.ts'
import type { MaskedClass } from '../access/masking.ts'
import type {
  AccessContext,
  Decision,
  Operation,
  Principal,
  StatementReading,
  Target,
} from '../access/model.ts'
import { mergeNeeds } from './approval-rule.ts'
import { maskedClass } from './classified-fields.ts'
import type { DecisionPoint } from './decision-point.ts'
import type { Denial } from './explain-denial.ts'
import { HiddenData } from './hidden-data.ts'

/** How one column of a result is hidden. */
export interface ColumnPlan {
  /** What it may hold; the first is named where only one can be. */
  readonly classes: readonly { readonly dataClass: MaskedClass; readonly path?: readonly string[] }[]
  /** The column whose value it is, unchanged: masked as its class says. Left out: computed, so that nothing of it may be kept. */
  readonly plain?: SourceColumn
  /** It is a definition as the target writes it out: its constants are hidden where it names one of these columns. */
  readonly definitionOf?: ReadonlySet<string> | 'all'
}

/** How the answer to one statement is hidden: what `ResultMasks` are made of. */
export interface MaskPlan {
  readonly columns: readonly (ColumnPlan | undefined)[]
  /** Columns beyond those, of a result whose width is not known. */
  readonly beyond: ColumnPlan | undefined
  readonly hidesTexts: boolean
  /**
   * What looks like a sensitive value is hidden in texts that have no class, too: the target's classification says so, or
   * definitions are read that may quote values (an index's WHERE).
   */
  readonly detects: false | 'formats' | 'names'
  /** The column that each column of the result is, unchanged, masked or not. */
  readonly origins: readonly (SourceColumn | undefined)[]
  readonly parameters: readonly {
    readonly number: number
    readonly column: SourceColumn
    readonly dataClass: MaskedClass
  }[]
}

export type MaskingDecision =
  | {
      readonly effect: 'permit'
      /** One for each statement of the text; left out where nothing has to be hidden. */
      readonly plans?: readonly MaskPlan[]
      /** Comparisons of hidden columns with a value that the client sent: each is a guess. */
      readonly guesses: number
      readonly policies: readonly string[]
    }
  | Denial

/** Whose rows are samples of the data: `pg_stats.most_common_vals` quotes it. By name, whatever schema an extension is in. */
const STATISTICS: ReadonlySet<string> = new Set([
  'pg_stats',
  'pg_statistic',
  'pg_stats_ext',
  'pg_stats_ext_exprs',
  'pg_statistic_ext_data',
  'pg_stat_statements',
  'pg_stat_statements_info',
])

/** What each kind of inference is, as a deed. */
const DEEDS: Readonly<Record<InferenceKind, string>> = {
  equality: 'comparing it with a parameter',
  constant: 'comparing it with a constant',
  range: 'comparing it by < or >',
  pattern: 'matching it with a pattern or passing it to a function in a condition',
  order: 'ordering by it',
  group: 'grouping by it or removing doubles of it',
  join: 'joining on it',
  other: 'making what comes back depend on it',
}

/**
 * What has to be hidden of the answer to a statement, or why it may not run: because the answer would tell a hidden value
 * without holding it, because it would be stored where it is not hidden, or because samples of it would be read.
 */
export function decideMasking(
  point: DecisionPoint,
  request: {
    readonly principal: Principal
    readonly target: Target
    readonly reading: Pick<StatementReading, 'operations' | 'facts' | 'flow' | 'flows'>
    readonly context: AccessContext
  },
): MaskingDecision {
  const { principal, target, reading, context } = request
  if (!point.resources.fields.has(target.name)) return NOTHING
  const hidden = new HiddenData(point, { principal, target, facts: reading.facts, context })
  const hiddenClasses = hidden.all()
  if (hiddenClasses.length === 0) return NOTHING
  // What detectors find is in no column that could be named.
  const all = hiddenClasses.filter((name) => name !== DETECTED)
  const sampled = statisticsOf(reading.operations)
  if (sampled !== undefined && all.length > 0) return readsSamples(principal, sampled, all)
  const flows = reading.flows ?? [reading.flow]
  const stored = flows.flatMap((flow) => launders(principal, flow, hidden, all))[0]
  if (stored !== undefined) return stored
  const told = inferences(principal, flows, hidden)
  if (told.effect === 'deny') return told
  const looksThrough = reading.operations.some(
    ({ resource }) =>
      resource.type === 'Table' && (isSystem(resource.schema) || hiddenClasses.includes(DETECTED)),
  )
  const ofTarget = point.resources.fields.get(target.name)?.detects
  const detects = !looksThrough ? false : ofTarget === 'names' ? 'names' : 'formats'
  const masked = (name: string): MaskedClass => maskedClass(name, point.resources.dataClasses)
  const plans = flows.map((flow) => planFor(flow, hidden, all, masked, detects))
  const hidesSomething = plans.some(
    (plan) =>
      plan.hidesTexts ||
      plan.detects !== false ||
      plan.beyond !== undefined ||
      plan.parameters.length > 0 ||
      plan.columns.some((column) => column !== undefined),
  )
  return { ...told, ...(hidesSomething ? { plans } : {}) }
}

const NOTHING: MaskingDecision = { effect: 'permit', guesses: 0, policies: [] }

function planFor(
  flow: DataFlow,
  hidden: HiddenData,
  all: readonly string[],
  masked: (name: string) => MaskedClass,
  detects: MaskPlan['detects'],
): MaskPlan {
  const anything: ColumnPlan | undefined =
    all.length === 0 ? undefined : { classes: all.map((name) => ({ dataClass: masked(name) })) }
  const within = (sources: readonly SourceColumn[] | 'anything'): ColumnPlan | undefined => {
    if (sources === 'anything') return anything
    const classes = sources.flatMap((source) =>
      hidden
        .of(source)
        .map(({ name, path }) => ({ dataClass: masked(name), ...(path === undefined ? {} : { path }) })),
    )
    return classes.length === 0 ? undefined : { classes }
  }
  const columnFor = ({ sources, isPlain, isDefinition }: OutputColumn): ColumnPlan | undefined => {
    const plan = within(sources)
    const isWritten = isDefinition === true && sources !== 'anything' && sources.every(isOwn)
    if (plan !== undefined && isWritten) return { ...plan, definitionOf: hidden.columns() }
    if (plan === undefined || !isPlain || sources === 'anything') return plan
    // A view's column and the one below it, a partition's and its table's, hold the same value: either may be classified.
    const classified = sources.find((source) => hidden.of(source).length > 0)
    return classified === undefined ? plan : { ...plan, plain: classified }
  }
  const touched = within(flow.touched)
  const outputs = flow.outputs === 'unknown' ? [] : flow.outputs
  return {
    columns: outputs.map(columnFor),
    beyond: flow.outputs === 'unknown' ? touched : undefined,
    hidesTexts: touched !== undefined,
    detects,
    // The first is the one that stores it; the others are those through which it was read, or that hold the same.
    origins: outputs.map(({ sources, isPlain }) =>
      isPlain && sources !== 'anything' ? sources[0] : undefined,
    ),
    parameters: flow.parameters.flatMap(({ number, column }) => {
      const token = hidden
        .of(column)
        .filter(({ path }) => path === undefined)
        .map(({ name }) => masked(name))
        .find(({ mask }) => mask.method === 'token')
      return token === undefined ? [] : [{ number, column, dataClass: token }]
    }),
  }
}

/** Comparing with a parameter is one guess, and permitted unless policy forbids it; everything else needs a permit. */
function inferences(
  principal: Principal,
  flows: readonly DataFlow[],
  hidden: HiddenData,
): Extract<MaskingDecision, { effect: 'permit' }> | Denial {
  let guesses = 0
  const policies = new Set<string>()
  const needs: { readonly denial: Denial; readonly need: ApprovalNeed }[] = []
  for (const { column, kind } of flows.flatMap((flow) => flow.inferences)) {
    // Definitions are sorted and grouped by whoever lists indexes and partitions, and by no data.
    if (holdsDefinitions(column) && (kind === 'order' || kind === 'group')) continue
    for (const { name } of hidden.of(column)) {
      const decision = hidden.infer(name, kind)
      if (kind === 'equality') guesses += 1
      if (decision.effect === 'permit') for (const id of decision.policies) policies.add(id)
      else if (decision.approval !== undefined) needs.push({ denial: decision, need: decision.approval })
      else if (kind !== 'equality' || isForbidden(decision))
        return tells(principal, column, name, kind, decision)
    }
  }
  const [first] = needs
  if (first !== undefined) {
    const approval = mergeNeeds(needs.map(({ need }) => need))
    return { ...first.denial, policies: approval.policies, approval }
  }
  return { effect: 'permit', guesses, policies: [...policies].toSorted() }
}

/** Some policy says no, or failed to say; not just that none says yes. */
function isForbidden(decision: Decision): boolean {
  return (
    decision.policies.length > 0 || (decision.effect === 'deny' && decision.code === 'ACCESS_POLICY_ERROR')
  )
}

function tells(
  principal: Principal,
  column: SourceColumn,
  dataClass: string,
  kind: InferenceKind,
  decision: Denial,
): Denial {
  const why = isForbidden(decision) ? decision.reason : `no policy permits to infer ${dataClass} this way`
  return {
    effect: 'deny',
    policies: decision.policies,
    reason: `${nameOf(column)} is masked for ${principal.id}, and ${DEEDS[kind]} would tell its values: ${why}`,
    hint:
      decision.policies.length > 0 && decision.hint !== undefined
        ? decision.hint
        : `leave it out of conditions, ordering and grouping, or compare it with a bound parameter ($1); a policy would have to permit Action::"infer" on DataClass::"${dataClass}"`,
    code: 'ACCESS_POLICY_DENIED',
  }
}

/** A copy in a column that is not of the class would be a copy that nobody masks. */
function launders(
  principal: Principal,
  flow: DataFlow,
  hidden: HiddenData,
  all: readonly string[],
): readonly Denial[] {
  return flow.stored.flatMap(({ from, to }) => {
    const kept = new Set(hidden.held(to).flatMap(({ name, path }) => (path === undefined ? [name] : [])))
    const sources =
      from === 'anything'
        ? all.map((name) => ({ name, where: 'what it calls or reads' }))
        : from.flatMap((source) => hidden.of(source).map(({ name }) => ({ name, where: nameOf(source) })))
    const lost = sources.find(({ name }) => !kept.has(name))
    if (lost === undefined) return []
    return [
      {
        effect: 'deny' as const,
        policies: [],
        reason: `${lost.where} holds ${lost.name}, which is masked for ${principal.id}, and would be stored in ${nameOf(to)}, where it is not`,
        hint: `classify ${nameOf(to)} as ${lost.name}, or leave the column out; a policy would have to permit Action::"reveal" on DataClass::"${lost.name}"`,
        code: 'ACCESS_POLICY_DENIED' as const,
      },
    ]
  })
}

function statisticsOf(operations: readonly Operation[]): string | undefined {
  for (const { resource } of operations) {
    if (resource.type === 'Table' && STATISTICS.has(resource.table)) {
      return `${resource.schema}.${resource.table}`
    }
  }
  return undefined
}

function readsSamples(principal: Principal, relation: string, all: readonly string[]): Denial {
  const classes = all.map((name) => `DataClass::"${name}"`).join(', ')
  return {
    effect: 'deny',
    policies: [],
    reason: `${relation} holds samples of the data, and ${all.join(', ')} is masked for ${principal.id}`,
    hint: `a policy would have to permit Action::"reveal" on ${classes}`,
    code: 'ACCESS_POLICY_DENIED',
  }
}

/** PostgreSQL's own: nothing that users have stored. */
function isOwn({ schema }: SourceColumn): boolean {
  return isSystem(schema)
}

function isSystem(schema: string): boolean {
  return schema.startsWith('pg_') || schema === 'information_schema'
}

function nameOf({ schema, name, column }: SourceColumn): string {
  return `${schema}.${name}.${column}`
}
