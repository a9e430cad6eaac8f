import type { InferenceKind, SourceColumn } from '../access/data-flow.ts'
import { holdsDefinitions } from '../access/definition-columns.ts'
import { DETECTED } from '../access/masking.ts'
import type { AccessContext, Decision, Principal, StatementFacts, Target } from '../access/model.ts'
import { classLine } from './classified-fields.ts'
import type { FieldClass } from './classified-fields.ts'
import type { DecisionPoint } from './decision-point.ts'
import { optimisticFacts } from './optimistic-facts.ts'

/**
 * What somebody may not see of a target while running one statement: the classes that policy does not `reveal`. Each class is
 * asked about once. Nothing is revealed by default.
 */
export class HiddenData {
  readonly #request: {
    readonly principal: Principal
    readonly target: Target
    readonly facts: StatementFacts
    readonly context: AccessContext
  }
  readonly #point: DecisionPoint
  readonly #revealed = new Map<string, boolean>()
  readonly #inferred = new Map<string, Decision>()
  #anywhere: readonly FieldClass[] | undefined

  constructor(
    point: DecisionPoint,
    request: {
      readonly principal: Principal
      readonly target: Target
      readonly facts: StatementFacts
      readonly context: AccessContext
    },
  ) {
    this.#point = point
    this.#request = request
  }

  /** The classes of a column that are hidden. */
  of(source: SourceColumn): readonly FieldClass[] {
    if (holdsDefinitions(source)) return this.#ofDefinitions()
    const { schema, name, column } = source
    const fields = this.#point.resources.fields.get(this.#request.target.name)
    const classes = fields?.of(schema, name, column) ?? NONE
    return classes.length === 0 ? NONE : classes.filter((held) => !this.#isRevealed(held.name))
  }

  /** What tables are defined by may quote a value of any column. */
  #ofDefinitions(): readonly FieldClass[] {
    this.#anywhere ??= this.all().flatMap((name) => (name === DETECTED ? [] : [{ name }]))
    return this.#anywhere
  }

  /** The names of all columns that are hidden; `all` where those are that nobody has listed. */
  columns(): ReadonlySet<string> | 'all' {
    const fields = this.#point.resources.fields.get(this.#request.target.name)
    return fields?.named((name) => !this.#isRevealed(name)) ?? new Set()
  }

  /** Every class that some field of the target holds and that is hidden, sorted. */
  all(): readonly string[] {
    const classes = this.#point.resources.fields.get(this.#request.target.name)?.classes() ?? NONE_NAMED
    return [...classes].filter((name) => !this.#isRevealed(name)).toSorted()
  }

  /** All classes that a column holds, hidden or not. */
  held({ schema, name, column }: SourceColumn): readonly FieldClass[] {
    return this.#point.resources.fields.get(this.#request.target.name)?.of(schema, name, column) ?? NONE
  }

  /** May values of a hidden class be told from the answer in this way? */
  infer(name: string, kind: InferenceKind): Decision {
    const key = `${name} ${kind}`
    const known = this.#inferred.get(key) ?? this.#ask('infer', name, kind)
    this.#inferred.set(key, known)
    return known
  }

  #isRevealed(name: string): boolean {
    const known = this.#revealed.get(name) ?? this.#ask('reveal', name).effect === 'permit'
    this.#revealed.set(name, known)
    return known
  }

  #ask(action: 'reveal' | 'infer', name: string, inference?: InferenceKind): Decision {
    const { principal, target, facts, context } = this.#request
    const [, ...within] = classLine(name, this.#point.resources.dataClasses)
    return this.#point.decide({
      principal,
      target,
      operation: { action, resource: { type: 'DataClass', name, within } },
      facts,
      context: inference === undefined ? context : { ...context, inference },
    })
  }
}

const NONE: readonly FieldClass[] = []
const NONE_NAMED: ReadonlySet<string> = new Set()

/**
 * Which columns of a target are hidden from somebody whatever they run: those of a class that policy reveals for no statement,
 * not even for one that people have approved.
 */
export function hiddenWhatever(
  point: DecisionPoint,
  principal: Principal,
  target: Target,
  context: AccessContext,
): ((column: SourceColumn) => boolean) | undefined {
  const fields = point.resources.fields.get(target.name)
  if (fields === undefined) return undefined
  const hidden = new Set<string>()
  for (const name of fields.classes()) {
    const [, ...within] = classLine(name, point.resources.dataClasses)
    const operation = { action: 'reveal', resource: { type: 'DataClass', name, within } } as const
    let everRevealed = false
    for (const facts of optimisticFacts(point.usesFor(principal, target, operation), 'reveal')) {
      const decision = point.decide({ principal, target, operation, facts, context })
      everRevealed ||= decision.effect === 'permit' || decision.approval !== undefined
      if (everRevealed) break
    }
    if (!everRevealed) hidden.add(name)
  }
  if (hidden.size === 0) return undefined
  return ({ schema, name, column }) => fields.of(schema, name, column).some((held) => hidden.has(held.name))
}
