import { CommonTables } from './common-tables.ts'
import { FlowBuilder } from './flow-builder.ts'
import { readDelete, readInsert, readMerge, readUpdate } from './read-change.ts'
import { readExpression } from './read-expression.ts'
import { readPredicate } from './read-predicate.ts'
import { readSelect } from './read-select.ts'
import { readView } from './read-view.ts'
import type { ReadingBuilder } from './reading.ts'
import { RelationUses } from './relation-uses.ts'
import { RangeEntry, Scope } from './scope.ts'
import { ANYTHING, CLEAN, NO_SOURCES, type Result } from './sources.ts'
import type { Fields } from './tree.ts'
import { isFields, list, tagged, visitChildren } from './tree.ts'
import type { Walk } from './walk.ts'

/** A statement with a result, wherever one may stand. */
type QueryRule = (fields: Fields, scope: Scope, walk: Walk) => Result

const QUERIES: ReadonlyMap<string, QueryRule> = new Map<string, QueryRule>([
  ['SelectStmt', readSelect],
  ['InsertStmt', readInsert],
  ['UpdateStmt', readUpdate],
  ['DeleteStmt', readDelete],
  ['MergeStmt', readMerge],
])

/** Outside of any query: no names. */
const NOWHERE = new Scope([], undefined, new CommonTables())

/** In a definition, columns are those of what is being defined: nothing of what is stored comes out of them. */
const DEFINED = new Scope([new RangeEntry({ columns: [], open: NO_SOURCES })], undefined, new CommonTables())

function startWalk(reading: ReadingBuilder): Walk {
  const walk: Walk = {
    reading,
    flow: new FlowBuilder(),
    uses: new RelationUses(),
    budget: reading.budget,
    expression: (node, scope) => {
      const found = tagged(node)
      if (found !== undefined) return readExpression(found.tag, found.fields, scope, walk)
      if (node === undefined || node === null || (isFields(node) && Object.keys(node).length === 0))
        return CLEAN
      reading.opaque('it holds something that the gateway does not know')
      return ANYTHING
    },
    predicate: (node, scope) => readPredicate(node, scope, walk),
    query: (tag, fields, scope) => {
      walk.budget.spend(1)
      refuseUnknown(tag, fields, reading)
      const rule = QUERIES.get(tag)
      if (rule !== undefined) return rule(fields, scope, walk)
      reading.opaque(`it holds a statement that cannot stand there (${tag})`)
      return { columns: [], open: 'anything' }
    },
    view: (relation) => readView(relation, walk, startWalk),
  }
  return walk
}

/** The rules read the fields that they know. One that a newer parser adds must not be passed over. */
function refuseUnknown(tag: string, fields: Fields, reading: ReadingBuilder): void {
  visitChildren(tag, fields, {
    node: () => undefined,
    unknown: (what) => reading.opaque(`it holds something that the gateway does not know (${what})`),
  })
}

/** Reads a SELECT, INSERT, UPDATE, DELETE or MERGE: what it does goes into the reading, where its result comes from too. */
export function readQuery(tag: string, fields: Fields, reading: ReadingBuilder): void {
  const walk = startWalk(reading)
  walk.flow.returns(walk.query(tag, fields, NOWHERE))
  walk.uses.finish(reading)
  reading.flows(walk.flow.finish())
}

/** What is no query has no result, and does what it does beside the rest. */
function finish(walk: Walk): void {
  walk.uses.finish(walk.reading)
  walk.reading.alsoFlows(walk.flow.finish())
}

/** Reads an expression that stands in no query: an argument of CALL or EXECUTE. */
export function readNode(tag: string, fields: Fields, reading: ReadingBuilder): void {
  const walk = startWalk(reading)
  walk.expression({ [tag]: fields }, NOWHERE)
  finish(walk)
}

export function readEach(nodes: unknown, reading: ReadingBuilder): void {
  const walk = startWalk(reading)
  for (const node of list(nodes)) walk.expression(node, NOWHERE)
  finish(walk)
}

/**
 * Reads what is below a node of a definition, except the fields that its own rule has already read: defaults, checks,
 * queries.
 */
export function readChildren(
  tag: string,
  fields: Fields,
  reading: ReadingBuilder,
  done: readonly string[] = [],
): void {
  const rest =
    done.length === 0
      ? fields
      : Object.fromEntries(Object.entries(fields).filter(([key]) => !done.includes(key)))
  const walk = startWalk(reading)
  visitChildren(tag, rest, {
    node: (below, its) => {
      walk.expression({ [below]: its }, DEFINED)
    },
    unknown: (what) => reading.opaque(`it holds something that the gateway does not know (${what})`),
  })
  finish(walk)
}
