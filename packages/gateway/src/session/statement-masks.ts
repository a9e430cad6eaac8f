import { LRUCache } from 'lru-cache'
import type { Catalog, Column, Relation } from '../access/catalog.ts'
import type { SourceColumn } from '../access/data-flow.ts'
import type { HiddenColumns, Mask, MaskedClass, ResultMasks, ValueKind } from '../access/masking.ts'
import { definitionMask } from '../masking/definition-mask.ts'
import { maskFor, maskForDerived } from '../masking/mask-for.ts'
import type { MaskKeys } from '../masking/mask-for.ts'
import { maskJson } from '../masking/mask-json.ts'
import type { ColumnPlan, MaskPlan } from '../policy/masking-decision.ts'

/** Classes with their methods: more than this would be a class for nearly every column of a large database. */
const MAX_MASKS = 2000

/** Masks by data class and method, made once: some hold tables that are costly to make. */
export class MaskShelf {
  readonly #keys: MaskKeys
  readonly #masks = new LRUCache<string, Mask>({ max: MAX_MASKS })

  constructor(keys: MaskKeys) {
    this.#keys = keys
  }

  /** For a column's own values. */
  own(dataClass: MaskedClass): Mask {
    return this.#get('own', dataClass, () => maskFor(dataClass, this.#keys))
  }

  /** For what was computed from values of the class. */
  derived(dataClass: MaskedClass): Mask {
    return this.#get('derived', dataClass, () => maskForDerived(dataClass))
  }

  #get(use: string, dataClass: MaskedClass, make: () => Mask): Mask {
    const key = JSON.stringify([use, dataClass.name, dataClass.mask])
    const known = this.#masks.get(key) ?? make()
    this.#masks.set(key, known)
    return known
  }
}

/**
 * Turns what policy decided to hide into masks, with the target's own names for the columns.
 * @param detector for values that nobody classified, and for names as well
 */
export function statementMasks(
  plan: MaskPlan,
  shelf: MaskShelf,
  catalog: Catalog,
  detector: (names: boolean) => Mask | undefined,
): ResultMasks {
  const find = columnFinder(catalog)
  const origins = plan.origins.map((source) => {
    const found = source === undefined ? undefined : find(source)
    return found === undefined
      ? undefined
      : { relation: found.relation.oid, number: found.column.number, type: found.column.type }
  })
  const parameters = plan.parameters.flatMap(({ number, column, dataClass }) => {
    const mask = shelf.own(dataClass)
    const type = find(column)?.column.type
    return mask.restore === undefined || type === undefined ? [] : [{ number, mask, type }]
  })
  return {
    columns: plan.columns.map((column) => column && maskOf(column, shelf)),
    beyond: plan.beyond && maskOf(plan.beyond, shelf),
    hidesTexts: plan.hidesTexts,
    detector: plan.detects === false ? undefined : detector(plan.detects === 'names'),
    origins,
    ...(parameters.length === 0 ? {} : { parameters }),
  }
}

/**
 * The columns that are hidden whatever a statement was read to be, by the target's own numbers.
 * @param isHidden whether policy hides a column from somebody, whatever they run
 */
export function hiddenColumns(
  catalog: Catalog,
  isHidden: (column: SourceColumn) => boolean,
): HiddenColumns | undefined {
  const hidden = new Set<string>()
  for (const { oid, schema, name, columns } of catalog.relations) {
    for (const column of columns) {
      if (isHidden({ schema, name, column: column.name })) hidden.add(`${oid} ${column.number}`)
    }
  }
  return hidden.size === 0 ? undefined : { has: (relation, number) => hidden.has(`${relation} ${number}`) }
}

function maskOf({ classes, plain, definitionOf }: ColumnPlan, shelf: MaskShelf): Mask | undefined {
  const [first] = classes
  if (first === undefined) return undefined
  if (definitionOf !== undefined) return definitionMask(definitionOf, first.dataClass.name)
  if (plain === undefined) return shelf.derived(first.dataClass)
  const whole = classes.find(({ path }) => path === undefined)
  if (whole !== undefined) return shelf.own(whole.dataClass)
  return inside(
    classes.map(({ dataClass, path }) => ({ mask: shelf.own(dataClass), path: path ?? [] })),
    shelf.derived(first.dataClass),
  )
}

/** Masks only what is below some keys of JSON; a value that is no JSON cannot be looked into, and is hidden whole. */
function inside(
  parts: readonly { readonly mask: Mask; readonly path: readonly string[] }[],
  otherwise: Mask,
): Mask {
  return {
    dataClass: otherwise.dataClass,
    method: parts.length === 1 ? (parts[0]?.mask.method ?? otherwise.method) : 'json',
    apply: (value: string, kind: ValueKind) =>
      kind === 'json'
        ? parts.reduce((text, { mask, path }) => maskJson(text, mask, { paths: [path] }), value)
        : otherwise.apply(value, kind),
  }
}

function columnFinder(
  catalog: Catalog,
): (source: SourceColumn) => { readonly relation: Relation; readonly column: Column } | undefined {
  return ({ schema, name, column }) => {
    const relation = catalog.relations.find((one) => one.name === name && one.schema === schema)
    const found = relation?.columns.find((one) => one.name === column)
    return relation === undefined || found === undefined ? undefined : { relation, column: found }
  }
}
