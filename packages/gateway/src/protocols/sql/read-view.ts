import { isSystemSchema, type Relation, type RelationId } from '../../access/catalog.ts'
import type { Operation } from '../../access/model.ts'
import { TooMuchToFollow } from './budget.ts'
import { CommonTables } from './common-tables.ts'
import { ReadingBuilder } from './reading.ts'
import { Scope } from './scope.ts'
import { sourcesOf } from './sources.ts'
import { isFields, list, nodeOf } from './tree.ts'
import type { ViewReading } from './view-reading.ts'
import type { Walk } from './walk.ts'

/** What nobody can say anything of. */
const UNREADABLE: ViewReading = {
  result: { columns: [], open: 'anything' },
  direct: [],
  all: [],
  inferences: [],
  always: [],
  touched: 'anything',
  needs: [],
  calls: [],
  runs: [],
}

/**
 * What the query of a view does, read once per catalog; undefined for a relation that has none, or that came with PostgreSQL
 * and shows nothing that users have stored under names of their own.
 * @param start begins a walk that gathers into a reading of its own
 */
export function readView(
  relation: Relation,
  walk: Walk,
  start: (reading: ReadingBuilder) => Walk,
): ViewReading | undefined {
  if (relation.kind !== 'view' && relation.kind !== 'materialized-view') return undefined
  if (isSystemSchema(relation.schema)) return undefined
  const { names } = walk.reading
  const { views } = names.index
  let view = views.get(relation)
  if (view === undefined) {
    views.set(relation, 'being read')
    view = readDefinition(relation, new ReadingBuilder(names.under([])), start)
    views.set(relation, view)
  }
  // A view can only name itself where something is wrong with the catalog.
  if (view === 'being read') return UNREADABLE
  if (relation.kind === 'view') repeat(view, relation, walk)
  return view
}

/**
 * What a view calls is called by whoever reads it, with their rights (CREATE VIEW, "Notes"). To call what is STABLE or
 * IMMUTABLE is the choice of the view's owner, and changes nothing: policy is asked about what can.
 */
function repeat(view: ViewReading, { schema, name }: Relation, walk: Walk): void {
  for (const call of view.calls) walk.reading.calls(call)
  const changes = view.calls.some(({ harmless, volatility }) => !harmless && volatility === 'volatile')
  for (const { action, resource } of view.runs)
    if (action !== 'call' || changes) walk.reading.doesOn(action, resource)
  if (view.opaqueBecause !== undefined)
    walk.reading.opaque(`the view ${schema}.${name} cannot be read: ${view.opaqueBecause}`)
}

function readDefinition(
  relation: Relation,
  reading: ReadingBuilder,
  start: (reading: ReadingBuilder) => Walk,
): ViewReading {
  const select = selectOf(relation, reading)
  // The target would not say it just now. What lies directly below is known all the same.
  if (select === undefined) return { ...UNREADABLE, direct: relation.uses, all: relation.uses }
  const walk = start(reading)
  try {
    const result = walk.query('SelectStmt', select, new Scope([], undefined, new CommonTables()))
    const uses = [...walk.uses].filter(({ isFrom }) => isFrom)
    walk.uses.finish(reading)
    const flow = walk.flow.finish()
    const { needs, calls = [], operations, opaqueBecause } = reading.finish()
    const shown = sourcesOf(result)
    const always = new Set(flow.inferences.map(({ column }) => column))
    if (flow.touched !== 'anything' && shown !== 'anything')
      for (const column of flow.touched) if (!shown.has(column)) always.add(column)
    return {
      result,
      direct: uses.map(({ schema, name }) => ({ schema, name })),
      all: distinct(uses.flatMap(({ schema, name, view }) => [{ schema, name }, ...(view?.all ?? [])])),
      inferences: flow.inferences,
      always: [...always],
      touched: flow.touched === 'anything' ? flow.touched : always,
      needs,
      calls,
      runs: operations.filter(isRun),
      ...(opaqueBecause === undefined ? {} : { opaqueBecause }),
    }
  } catch (error) {
    if (!(error instanceof TooMuchToFollow)) throw error
    return { ...UNREADABLE, opaqueBecause: error.message }
  }
}

function isRun({ action, through }: Operation): boolean {
  return through === undefined && action !== 'select' && action !== 'connect' && action !== 'lock'
}

function selectOf(
  relation: Relation,
  reading: ReadingBuilder,
): Readonly<Record<string, unknown>> | undefined {
  if (relation.definition === undefined) return undefined
  try {
    const tree = reading.names.index.parse(relation.definition)
    const [statement] = isFields(tree) ? list(tree['stmts']) : []
    return isFields(statement) ? nodeOf(statement['stmt'], 'SelectStmt') : undefined
  } catch {
    return undefined
  }
}

function distinct(ids: readonly RelationId[]): readonly RelationId[] {
  return [...new Map(ids.map((id) => [`${id.schema}\0${id.name}`, id])).values()]
}
