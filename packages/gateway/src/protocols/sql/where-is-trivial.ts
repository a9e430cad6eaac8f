import { isExtremeBound, matchesAnything } from './literal-bounds.ts'
import type { ReadingBuilder } from './reading.ts'
import { relationName } from './relation-name.ts'
import { isNeverNegative, isNull, withoutNeutral } from './same-value.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nameParts, nodeOf, tagged, text } from './tree.ts'

/**
 * What a condition comes to, over the rows of the relation that is changed:
 * `constant` the same for every row, whatever that is; `always` and `never` for every row that has values;
 * `varies` it picks rows. Leans towards `constant` and `always`: a WHERE that looks selective and is not, is what
 * empties a table.
 */
type Truth = 'constant' | 'always' | 'never' | 'varies'

/** What is known where a condition is evaluated. */
interface Place {
  /** Names that stand for the changed relation, until an inner FROM takes them. */
  readonly names: readonly string[]
  readonly relation: Fields | undefined
  /** A bare column name belongs to the innermost FROM. */
  readonly bareIsOurs: boolean
  readonly reading: ReadingBuilder
  /** Columns of which `always` was said only in case they cannot be null. */
  readonly notNull: Set<string>
  readonly assumeNotNull: boolean
}

/**
 * Notes what the WHERE of an UPDATE or DELETE comes to (and for MERGE, its ON condition and the one after WHEN).
 * Literals are not looked at, except where a bound or a pattern lets everything through: then the text matters.
 */
export function judgeWhere(where: unknown, rangeVar: unknown, reading: ReadingBuilder, and?: unknown): void {
  if (where === undefined && and === undefined) return reading.changesRows('missing')
  const relation = fieldsOf(rangeVar)
  const alias = text(fieldsOf(relation?.['alias'])?.['aliasname'])
  const place = {
    names: [alias ?? text(relation?.['relname']) ?? ''],
    relation,
    bareIsOurs: true,
    reading,
    notNull: new Set<string>(),
  }
  const isTrivial = (assumeNotNull: boolean) =>
    [where, and].every(
      (part) => part === undefined || letsAllThrough(truth(part, { ...place, assumeNotNull })),
    )
  if (isTrivial(false)) return reading.changesRows('trivial')
  place.notNull.clear()
  const name = relationName(relation)
  if (isTrivial(true) && name)
    reading.changesRows('selective', { relation: name, columns: [...place.notNull].toSorted() })
  else reading.changesRows('selective')
}

function letsAllThrough(of: Truth): boolean {
  return of === 'constant' || of === 'always'
}

function opposite(of: Truth): Truth {
  if (of === 'always') return 'never'
  return of === 'never' ? 'always' : of
}

function truth(node: unknown, place: Place): Truth {
  const found = tagged(node)
  if (found === undefined) return 'constant'
  const { tag, fields } = found
  if (tag === 'BoolExpr') return ofBoolean(fields, place)
  if (tag === 'A_Expr') return ofComparison(fields, place)
  if (tag === 'NullTest') return ofNullTest(fields, place)
  if (tag === 'BooleanTest') return ofBooleanTest(fields, place)
  if (tag === 'SubLink') return ofSubLink(fields, place)
  if (tag === 'TypeCast' || tag === 'CollateClause') return truth(fields['arg'], place)
  if (tag === 'CoalesceExpr') return ofCoalesce(fields, place)
  if (tag === 'CaseExpr') return ofCase(fields, place)
  const boolean = tag === 'A_Const' ? fieldsOf(fields['boolval']) : undefined
  if (boolean) return boolean['boolval'] === true ? 'always' : 'never'
  return varies(node, place) ? 'varies' : 'constant'
}

function ofBoolean(fields: Fields, place: Place): Truth {
  const args = list(fields['args'])
  const arms = args.map((arg) => truth(arg, place))
  switch (text(fields['boolop']) ?? '') {
    case 'NOT_EXPR':
      return opposite(arms[0] ?? 'varies')
    case 'OR_EXPR':
      if (arms.some(letsAllThrough) || hasOppositeArms(args, place.reading)) return 'always'
      return arms.every((arm) => arm === 'never') ? 'never' : 'varies'
    default:
      if (arms.includes('never')) return 'never'
      if (arms.includes('varies')) return 'varies'
      return arms.includes('always') ? 'always' : 'constant'
  }
}

/** `x IS NULL OR x IS NOT NULL`, `a = b OR a <> b`, `p OR NOT p`: together they leave nothing out. */
function hasOppositeArms(args: readonly unknown[], reading: ReadingBuilder): boolean {
  // Each is written out once: chains of OR have as many arms as somebody likes to send.
  const arms = new Map<string, Set<string>>()
  for (const arg of args) {
    const shape = shapeOf(arg, false)
    const alike = arms.get(shape) ?? new Set()
    arms.set(shape, alike.add(shapeOf(arg, true)))
  }
  return args.some((arg) =>
    negations(arg).some((negation) => {
      const shape = shapeOf(negation, false)
      const alike = arms.get(shape)
      if (alike === undefined) return false
      if (shape.includes('"A_Const"')) reading.textMatters()
      return alike.has(shapeOf(negation, true))
    }),
  )
}

const NEGATED_OPERATORS: ReadonlyMap<string, string> = new Map([
  ['=', '<>'],
  ['<>', '='],
  ['<', '>='],
  ['>=', '<'],
  ['>', '<='],
  ['<=', '>'],
])

function negations(node: unknown): readonly unknown[] {
  const found = tagged(node)
  if (found === undefined) return []
  const { tag, fields } = found
  const all: unknown[] = [{ BoolExpr: { boolop: 'NOT_EXPR', args: [node] } }]
  if (tag === 'NullTest') {
    const other = fields['nulltesttype'] === 'IS_NULL' ? 'IS_NOT_NULL' : 'IS_NULL'
    all.push({ NullTest: { ...fields, nulltesttype: other } })
  }
  const negated = NEGATED_OPERATORS.get(nameParts(fields['name']).at(-1) ?? '')
  if (tag === 'A_Expr' && fields['kind'] === 'AEXPR_OP' && negated !== undefined) {
    all.push({ A_Expr: { ...fields, name: [{ String: { sval: negated } }] } })
  }
  return all
}

const TRUE_OF_EQUALS: ReadonlySet<string> = new Set(['=', '>=', '<=', '~~', '~~*', '@>', '<@', '&&'])
const MIRRORED: Readonly<Record<string, string>> = { '<': '>', '>': '<', '<=': '>=', '>=': '<=', '<>': '<>' }
const FALSE_OF_EQUALS: ReadonlySet<string> = new Set(['<>', '<', '>', '!~~', '!~~*'])

function ofComparison(fields: Fields, place: Place): Truth {
  const lexpr = withoutNeutral(fields['lexpr'], place.reading)
  const rexpr = withoutNeutral(fields['rexpr'], place.reading)
  if (!varies(lexpr, place) && !varies(rexpr, place)) return 'constant'
  const kind = text(fields['kind'])
  const operator = nameParts(fields['name']).at(-1) ?? ''
  if ((kind === 'AEXPR_DISTINCT' || kind === 'AEXPR_NOT_DISTINCT') && (isNull(lexpr) || isNull(rexpr))) {
    const nulltesttype = kind === 'AEXPR_DISTINCT' ? 'IS_NOT_NULL' : 'IS_NULL'
    return ofNullTest({ arg: isNull(lexpr) ? rexpr : lexpr, nulltesttype }, place)
  }
  if (kind === 'AEXPR_OP_ANY') {
    // `id = ANY (ARRAY (SELECT id FROM same))` is `id IN (SELECT …)`.
    const array = nodeOf(rexpr, 'SubLink')
    if (operator !== '=' || text(array?.['subLinkType']) !== 'ARRAY_SUBLINK') return 'varies'
    return ofSubLink({ ...array, testexpr: lexpr, subLinkType: 'ANY_SUBLINK' }, place)
  }
  const same = isSame(lexpr, rexpr, place.reading)
  if (kind === 'AEXPR_DISTINCT') return same ? 'never' : 'varies'
  if (kind === 'AEXPR_NOT_DISTINCT') return same ? 'always' : 'varies'
  const items = list(nodeOf(rexpr, 'List')?.['items'])
  if (kind === 'AEXPR_IN') {
    if (!items.some((item) => isSame(item, lexpr, place.reading))) return 'varies'
    return operator === '=' ? 'always' : 'never'
  }
  if (kind === 'AEXPR_BETWEEN' || kind === 'AEXPR_BETWEEN_SYM') {
    const reaches = (bound: unknown, operator: string) =>
      isSame(bound, lexpr, place.reading) || isExtremeBound(operator, bound, place.reading)
    return reaches(items[0], '>=') && reaches(items[1], '<=') ? 'always' : 'varies'
  }
  if (kind === 'AEXPR_OP' || kind === 'AEXPR_LIKE' || kind === 'AEXPR_ILIKE') {
    if (same && TRUE_OF_EQUALS.has(operator)) return 'always'
    if (same && FALSE_OF_EQUALS.has(operator)) return 'never'
  }
  if (
    kind === 'AEXPR_LIKE' ||
    kind === 'AEXPR_ILIKE' ||
    kind === 'AEXPR_SIMILAR' ||
    operator.startsWith('~')
  ) {
    return matchesAnything(operator, rexpr, place.reading) ? 'always' : 'varies'
  }
  if (kind !== 'AEXPR_OP') return 'varies'
  const isOpen =
    isExtremeBound(operator, rexpr, place.reading) ||
    isExtremeBound(MIRRORED[operator] ?? '', lexpr, place.reading) ||
    isNeverNegative(operator, lexpr, rexpr, place.reading) ||
    isNeverNegative(MIRRORED[operator] ?? '', rexpr, lexpr, place.reading)
  return isOpen ? 'always' : 'varies'
}

function ofNullTest(fields: Fields, place: Place): Truth {
  const isNull = text(fields['nulltesttype']) === 'IS_NULL'
  if (!varies(fields['arg'], place)) return 'constant'
  const parts = list(nodeOf(fields['arg'], 'ColumnRef')?.['fields'])
  const column = parts.length === 0 ? undefined : nameParts(parts).at(-1)
  if (column === undefined || !place.assumeNotNull) return 'varies'
  place.notNull.add(column)
  return isNull ? 'never' : 'always'
}

function ofBooleanTest(fields: Fields, place: Place): Truth {
  const arg = truth(fields['arg'], place)
  switch (text(fields['booltesttype']) ?? '') {
    case 'IS_TRUE':
    case 'IS_NOT_FALSE':
      return arg
    case 'IS_FALSE':
    case 'IS_NOT_TRUE':
      return opposite(arg)
    default:
      if (arg === 'constant') return 'constant'
      // A comparison of columns that have values is never unknown.
      return fields['booltesttype'] === 'IS_UNKNOWN' ? 'never' : 'always'
  }
}

function ofCoalesce(fields: Fields, place: Place): Truth {
  const arms = list(fields['args']).map((arg) => truth(arg, place))
  if (arms[0] !== 'varies') return arms[0] ?? 'constant'
  return 'varies'
}

/** `CASE WHEN x THEN true ELSE true END`: one result whatever the conditions say. */
function ofCase(fields: Fields, place: Place): Truth {
  if (!varies({ CaseExpr: fields }, place)) return 'constant'
  const otherwise = fields['defresult']
  const results = list(fields['args']).map((arm) => nodeOf(arm, 'CaseWhen')?.['result'])
  const arms = [...results, otherwise].map((result) => truth(result, place))
  if (arms.every((arm) => arm === 'always')) return 'always'
  const isFlat = results.every((result) => isSame(result, otherwise, place.reading))
  return isFlat && arms.every(letsAllThrough) ? 'constant' : 'varies'
}

/** `id IN (SELECT id FROM same)` holds for every row; a subquery that mentions nothing of ours is the same for all. */
function ofSubLink(fields: Fields, place: Place): Truth {
  if (!varies({ SubLink: fields }, place)) return 'constant'
  const select = nodeOf(fields['subselect'], 'SelectStmt')
  const from = list(select?.['fromClause'])
  const only = from.length === 1 ? nodeOf(from[0], 'RangeVar') : undefined
  const isOurs = only !== undefined && text(only['relname']) === text(place.relation?.['relname'])
  if (text(fields['subLinkType']) !== 'ANY_SUBLINK' || !isOurs || !operatorIsEquals(fields)) return 'varies'
  const isCut = ['havingClause', 'limitCount', 'limitOffset', 'groupClause', 'larg'].some(
    (key) => select?.[key],
  )
  const where = select?.['whereClause']
  const its = { ...place, names: from.flatMap(aliasesOf), relation: only, bareIsOurs: true }
  return !isCut && (where === undefined || letsAllThrough(truth(where, its))) ? 'always' : 'varies'
}

function operatorIsEquals(fields: Fields): boolean {
  return fields['operName'] === undefined || nameParts(fields['operName']).at(-1) === '='
}

/** The same place, seen from within a subquery: what its FROM names is no longer ours. */
function inside(select: Fields | undefined, place: Place): Place {
  const from = list(select?.['fromClause'])
  if (from.length === 0) return place
  const taken = new Set(from.flatMap(aliasesOf))
  return { ...place, names: place.names.filter((name) => !taken.has(name)), bareIsOurs: false }
}

function aliasesOf(item: unknown): readonly string[] {
  const node = tagged(item)
  if (node === undefined) return []
  if (node.tag === 'JoinExpr') return [...aliasesOf(node.fields['larg']), ...aliasesOf(node.fields['rarg'])]
  const alias = text(fieldsOf(node.fields['alias'])?.['aliasname']) ?? text(node.fields['relname'])
  return alias === undefined ? [] : [alias]
}

/** Whether the value of an expression can differ from row to row of the changed relation. */
function varies(node: unknown, place: Place): boolean {
  if (typeof node !== 'object' || node === null) return false
  if (Array.isArray(node)) return list(node).some((item) => varies(item, place))
  return Object.entries(node).some(([key, below]) => {
    if (key === 'ColumnRef') return isOurs(fieldsOf(below) ?? {}, place)
    if (key === 'CurrentOfExpr') return true
    if (key === 'SelectStmt') return varies(below, inside(fieldsOf(below), place))
    return varies(below, place)
  })
}

function isOurs(column: Fields, place: Place): boolean {
  const parts = list(column['fields'])
  if (parts.length < 2) return place.bareIsOurs
  // A qualified name, or a star: the part before the last says whose it is.
  const qualifier = text(nodeOf(parts.at(-2), 'String')?.['sval'])
  return qualifier === undefined || place.names.includes(qualifier)
}

/** Whether two expressions are written alike. Where only their literals can make them differ, the text matters. */
function isSame(one: unknown, other: unknown, reading: ReadingBuilder): boolean {
  const shape = shapeOf(one, false)
  if (shape !== shapeOf(other, false)) return false
  if (shape.includes('"A_Const"')) reading.textMatters()
  return shapeOf(one, true) === shapeOf(other, true)
}

/** A node as a string without its positions; without the values of its literals too, unless they are asked for. */
function shapeOf(node: unknown, withLiterals: boolean): string {
  const json = JSON.stringify(node, (key, value: unknown) => {
    if (key === 'location') return undefined
    if (key !== 'A_Const' || withLiterals) return value
    // true, false and NULL are words, not literals. Of the others not even the type is kept: it goes with the value.
    const fields = fieldsOf(value)
    return fields?.['boolval'] ?? fields?.['isnull'] ?? '?'
  })
  return json ?? ''
}
