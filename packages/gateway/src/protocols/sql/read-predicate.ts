import type { InferenceKind } from '../../access/data-flow.ts'
import { readOperatorName } from './read-function.ts'
import type { Scope } from './scope.ts'
import { NO_SOURCES, type Sources, type Value, isEmpty, sourcesOf, union, unionAll } from './sources.ts'
import type { Fields } from './tree.ts'
import { list, nameParts, nodeOf, tagged, text } from './tree.ts'
import type { Walk } from './walk.ts'

/**
 * Reads a condition that decides which rows there are, and notes what it would tell of each column in it.
 * @returns the columns that it hangs on
 */
export function readPredicate(node: unknown, scope: Scope, walk: Walk): Sources {
  const found = tagged(node)
  if (found === undefined) return NO_SOURCES
  walk.budget.spend(1)
  const { tag, fields } = found
  switch (tag) {
    case 'BoolExpr':
      return unionAll(list(fields['args']).map((arg) => readPredicate(arg, scope, walk)))
    case 'BooleanTest':
      return readPredicate(fields['arg'], scope, walk)
    case 'A_Expr':
      return readComparison(fields, scope, walk)
    case 'SubLink':
      return readSubLink(fields, scope, walk)
    default: {
      const value = walk.expression(node, scope)
      // `WHERE is_vip` is `is_vip = true`.
      walk.flow.infers(value.sources, value.isPlain ? 'constant' : 'pattern')
      return value.sources
    }
  }
}

const RANGES: ReadonlySet<string> = new Set(['<', '<=', '>', '>='])

function readComparison(fields: Fields, scope: Scope, walk: Walk): Sources {
  const kind = text(fields['kind']) ?? ''
  // What a user's operator finds can hang on anything.
  const isKnown = readOperatorName(fields['name'], walk.reading)
  if (!isKnown) walk.flow.infers('anything', 'other')
  const operator = kind.includes('BETWEEN') ? '<' : (nameParts(fields['name']).at(-1) ?? '')
  const compareWith = (left: Value, node: unknown): Sources => {
    const right = walk.expression(node, scope)
    compare(kind, operator, left, right, walk)
    return union(left.sources, right.sources)
  }
  const pairs = rowPairs(kind, fields)
  if (pairs !== undefined)
    return unionAll(pairs.map(([one, other]) => compareWith(walk.expression(one, scope), other)))
  const left = walk.expression(fields['lexpr'], scope)
  const isWithSeveral = kind === 'AEXPR_IN' || kind.includes('BETWEEN')
  const others = isWithSeveral ? list(nodeOf(fields['rexpr'], 'List')?.['items']) : [fields['rexpr']]
  const sources = unionAll(others.map((other) => compareWith(left, other)))
  return isKnown ? sources : 'anything'
}

/** `(a, b) = (1, 2)` compares column by column. */
function rowPairs(kind: string, fields: Fields): readonly (readonly [unknown, unknown])[] | undefined {
  if (kind !== 'AEXPR_OP') return undefined
  const left = nodeOf(fields['lexpr'], 'RowExpr')
  const right = nodeOf(fields['rexpr'], 'RowExpr')
  if (left === undefined || right === undefined) return undefined
  const [ones, others] = [list(left['args']), list(right['args'])]
  return ones.length === others.length ? ones.map((one, n) => [one, others[n]] as const) : undefined
}

function compare(kind: string, operator: string, left: Value, right: Value, walk: Walk): void {
  const { flow } = walk
  if (left.isPlain && right.isConstant) flow.takes(right.parameters, left.sources)
  if (right.isPlain && left.isConstant) flow.takes(left.parameters, right.sources)
  if (isEmpty(left.sources)) return flow.infers(right.sources, kindOf(kind, operator, right, left))
  if (isEmpty(right.sources)) return flow.infers(left.sources, kindOf(kind, operator, left, right))
  const isEquality = operator === '=' && !kind.endsWith('_ALL') && kind !== 'AEXPR_DISTINCT'
  flow.infers(left.sources, isEquality && left.isPlain ? 'join' : kindOf(kind, operator, left, right))
  flow.infers(right.sources, isEquality && right.isPlain ? 'join' : kindOf(kind, operator, right, left))
}

const EQUALITIES: ReadonlySet<string> = new Set([
  'AEXPR_OP',
  'AEXPR_OP_ANY',
  'AEXPR_IN',
  'AEXPR_NOT_DISTINCT',
])

/** What comparing a value with another one tells of it. */
function kindOf(kind: string, operator: string, value: Value, other: Value): InferenceKind {
  if (!value.isPlain) return 'pattern'
  if (EQUALITIES.has(kind) && operator === '=' && other.isConstant) {
    // An array that is bound can hold as many guesses as it likes.
    return other.parameters.length > 0 && kind !== 'AEXPR_OP_ANY' ? 'equality' : 'constant'
  }
  if (kind.includes('BETWEEN') || RANGES.has(operator)) return 'range'
  return operator === '=' || operator === '<>' ? 'other' : 'pattern'
}

function readSubLink(fields: Fields, scope: Scope, walk: Walk): Sources {
  const type = text(fields['subLinkType']) ?? ''
  if (type === 'EXISTS_SUBLINK' || type === 'EXPR_SUBLINK') {
    const value = walk.expression({ SubLink: fields }, scope)
    walk.flow.infers(value.sources, value.isPlain ? 'constant' : 'pattern')
    return value.sources
  }
  if (!readOperatorName(fields['operName'], walk.reading)) walk.flow.infers('anything', 'other')
  const test = walk.expression(fields['testexpr'], scope)
  const select = nodeOf(fields['subselect'], 'SelectStmt')
  if (select === undefined) {
    walk.reading.opaque('it holds a subquery that is none')
    return 'anything'
  }
  const operator = fields['operName'] === undefined ? '=' : (nameParts(fields['operName']).at(-1) ?? '')
  const kind: InferenceKind = operator === '=' ? 'join' : RANGES.has(operator) ? 'range' : 'other'
  const sources = union(test.sources, sourcesOf(walk.query('SelectStmt', select, scope)))
  walk.flow.infers(sources, kind)
  return sources
}
