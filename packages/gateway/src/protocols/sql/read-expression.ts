import {
  KEEPS_PARTS,
  MAKES_PARTS,
  ROWS_TELL,
  ROWS_TELL_SHAPE,
  TELLS_ONLY_ARGUMENTS,
  WRITES_DEFINITION,
} from './function-values.ts'
import { HARMLESS_FUNCTIONS } from './harmless-functions.ts'
import { holdsDefinitions } from '../../access/definition-columns.ts'
import { readFunctionName, readOperatorName } from './read-function.ts'
import { relationName } from './relation-name.ts'
import { expandStar, resolveColumn, type Scope } from './scope.ts'
import {
  ANYTHING,
  CLEAN,
  CONSTANT,
  NO_SOURCES,
  arrayOf,
  tellsOnlyShape,
  type ResultColumn,
  type Sources,
  type Value,
  isEmpty,
  madeOf,
  sourcesOf,
  union,
  unionAll,
} from './sources.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nameParts, nodeOf, tagged, text, visitChildren } from './tree.ts'
import type { Walk } from './walk.ts'

/**
 * The value of an expression: every column on which it can depend, whatever lies between. Only what keeps a value as it is,
 * or does not carry it at all, has a rule here; everything else is made of all that is below it, and a node that
 * nobody knows makes the statement opaque.
 */
export function readExpression(tag: string, fields: Fields, scope: Scope, walk: Walk): Value {
  walk.budget.spend(1)
  switch (tag) {
    case 'A_Const':
    case 'SetToDefault':
      return CONSTANT
    case 'ParamRef':
      return { ...CONSTANT, parameters: typeof fields['number'] === 'number' ? [fields['number']] : [] }
    case 'ColumnRef':
      return readColumnRef(fields, scope, walk)
    case 'A_Indirection':
      return readIndirection(fields, scope, walk)
    case 'RowExpr':
      return readRow(fields, scope, walk)
    case 'A_ArrayExpr':
      return arrayOf(list(fields['elements']).map((element) => walk.expression(element, scope)))
    case 'CollateClause':
      return walk.expression(fields['arg'], scope)
    case 'TypeCast': {
      const value = walk.expression(fields['arg'], scope)
      const { sources, isConstant, parameters } = value
      if (isEmpty(sources) && !isConstant) return CLEAN
      return { sources, isPlain: false, isConstant, parameters, keepsShape: tellsOnlyShape(value) }
    }
    case 'NullTest': {
      const value = walk.expression(fields['arg'], scope)
      // Whether there is a value at all is not the value. Who asks it of a condition on the value asks for more.
      return value.isPlain && value.fields === undefined ? CLEAN : madeOf(value.sources)
    }
    case 'CaseExpr':
      return readCase(fields, scope, walk)
    case 'GroupingFunc':
      // Which columns a row is grouped by hangs on the query alone. They are looked at, and not passed on.
      readBelow(tag, fields, scope, walk)
      return CLEAN
    case 'FuncCall':
      return readCall(fields, scope, walk)
    case 'A_Expr':
      return readOperator(fields, scope, walk)
    case 'SubLink':
      return readSubLink(fields, scope, walk)
    case 'WindowDef':
      return readWindow(fields, scope, walk)
    case 'SortBy':
      if (!readOperatorName(fields['useOp'], walk.reading)) walk.flow.infers('anything', 'order')
      return walk.expression(fields['node'], scope)
    case 'RangeVar':
      return readNamedRelation(fields, walk)
    case 'SelectStmt':
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
      return madeOf(sourcesOf(walk.query(tag, fields, scope)))
    default:
      if (tag.endsWith('Stmt')) {
        walk.reading.opaque(`it holds a statement that cannot stand there (${tag})`)
        return ANYTHING
      }
      return readBelow(tag, fields, scope, walk)
  }
}

/**
 * Which branch of a CASE is taken shows even where its result is masked: a branch can fail, or take its time. So its
 * conditions are conditions like others.
 */
function readCase(fields: Fields, scope: Scope, walk: Walk): Value {
  const subject = fields['arg'] === undefined ? undefined : walk.expression(fields['arg'], scope)
  const parts: Sources[] = [walk.expression(fields['defresult'], scope).sources]
  if (subject !== undefined) {
    parts.push(subject.sources)
    walk.flow.infers(subject.sources, subject.isPlain ? 'constant' : 'pattern')
  }
  for (const item of list(fields['args'])) {
    const branch = nodeOf(item, 'CaseWhen')
    if (branch === undefined) walk.reading.opaque('a CASE has a branch that the gateway does not know')
    parts.push(walk.expression(branch?.['result'], scope).sources)
    if (subject === undefined) parts.push(walk.predicate(branch?.['expr'], scope))
    else {
      const { sources } = walk.expression(branch?.['expr'], scope)
      walk.flow.infers(sources, 'pattern')
      parts.push(sources)
    }
  }
  return madeOf(unionAll(parts))
}

/** Made of everything below it. */
function readBelow(tag: string, fields: Fields, scope: Scope, walk: Walk): Value {
  let sources: Sources = NO_SOURCES
  let isConstant = true
  visitChildren(tag, fields, {
    node: (below, its) => {
      const value = readExpression(below, its, scope, walk)
      sources = union(sources, value.sources)
      isConstant &&= value.isConstant || CONSTANT_PARTS.has(below)
    },
    unknown: (what) => walk.reading.opaque(`it holds something that the gateway does not know (${what})`),
  })
  return isEmpty(sources) && isConstant && CONSTANT_WHOLES.has(tag) ? CONSTANT : madeOf(sources)
}

const CONSTANT_PARTS: ReadonlySet<string> = new Set(['String', 'Integer', 'Float', 'TypeName', 'List'])
const CONSTANT_WHOLES: ReadonlySet<string> = new Set([
  'A_Expr',
  'A_ArrayExpr',
  'List',
  'CoalesceExpr',
  'RowExpr',
])

function readColumnRef(fields: Fields, scope: Scope, walk: Walk): Value {
  const parts = list(fields['fields'])
  if (nodeOf(parts.at(-1), 'A_Star') === undefined) return resolveColumn(nameParts(parts), scope, walk)
  const { columns, open } = expandStar(nameParts(parts.slice(0, -1)), scope, walk)
  return { ...madeOf(sourcesOf({ columns, ...(open === undefined ? {} : { open }) })), fields: columns }
}

/** `(c).ssn`, `(c).*`, `a[1]`, and what follows them. */
function readIndirection(fields: Fields, scope: Scope, walk: Walk): Value {
  let value = walk.expression(fields['arg'], scope)
  const whole = tellsOnlyShape(value)
  for (const step of list(fields['indirection'])) {
    const name = text(nodeOf(step, 'String')?.['sval'])
    if (name !== undefined) value = fieldOf(value, name) ?? madeOf(value.sources)
    else if (nodeOf(step, 'A_Star') === undefined) {
      const index = walk.expression(step, scope)
      const isNamed = whole && index.isConstant
      const { elements } = value
      value = { ...madeOf(union(value.sources, index.sources)), keepsShape: isNamed }
      if (elements !== undefined && nodeOf(step, 'A_Indices')?.['is_slice'] !== true)
        value = { ...value, fields: elements }
    }
  }
  return value
}

/** Undefined where the composite is not known to have such a column. */
function fieldOf(value: Value, name: string): Value | undefined {
  const found = value.fields?.filter((field) => field.name === name)
  return found?.length === 1 ? found[0]?.value : undefined
}

function readRow(fields: Fields, scope: Scope, walk: Walk): Value {
  const values = list(fields['args']).map((arg) => walk.expression(arg, scope))
  const columns = values.map((value, n): ResultColumn => ({ name: `f${n + 1}`, value }))
  const isConstant = values.every((value) => value.isConstant)
  return isConstant
    ? CONSTANT
    : { ...madeOf(unionAll(values.map(({ sources }) => sources))), fields: columns }
}

/** In a definition, a relation that it refers to. In a query they stand in FROM, which has its own rules. */
function readNamedRelation(fields: Fields, walk: Walk): Value {
  const relation = relationName(fields)
  if (relation === undefined) walk.reading.opaque('a relation has no name')
  else walk.reading.does('select', { type: 'Relation', ...relation })
  return CLEAN
}

function readCall(fields: Fields, scope: Scope, walk: Walk): Value {
  const parts = nameParts(fields['funcname'])
  const name = parts.at(-1) ?? ''
  const args = list(fields['args']).map((arg) => walk.expression(arg, scope))
  const [only] = args
  // `ssn(c)` means `c.ssn` where no function is called that.
  if (args.length === 1 && only?.fields !== undefined && parts.length === 1 && isNoFunction(name, walk)) {
    const field = fieldOf(only, name)
    if (field !== undefined) return madeOf(field.sources)
  }
  const isKnown = readFunctionName(fields, walk.reading)
  const beside = [
    ...list(fields['agg_order']).map((item) => walk.expression(item, scope).sources),
    walk.predicate(fields['agg_filter'], scope),
  ]
  const over = fieldsOf(fields['over'])
  const window = over === undefined ? NO_SOURCES : readWindow(over, scope, walk).sources
  const given = unionAll(args.map(({ sources }) => sources))
  const tellsMore = ROWS_TELL_SHAPE.has(name) ? args.filter((arg) => !tellsOnlyShape(arg)) : args
  if (ROWS_TELL.has(name)) walk.flow.infers(unionAll(tellsMore.map(({ sources }) => sources)), 'other')
  // What it does (a notification, a lock, a wait, a row in some table) hangs on what it is given, and others can see it.
  if (hasEffects(name, isKnown, walk)) walk.flow.infers(given, 'other')
  if (!isKnown) {
    walk.flow.touches('anything')
    return ANYTHING
  }
  const definition = name === 'btrim' ? unquoted(args, fields, walk) : definitionOf(name, args, walk)
  if (definition !== undefined) return definition
  const carried = CARRIES_NOTHING.get(name)?.(args, fields) === true ? NO_SOURCES : given
  const sources = union(union(carried, unionAll(beside)), window)
  if (isEmpty(sources) && args.every((arg) => arg.isConstant) && over === undefined && !VARIES.test(name))
    return CONSTANT
  return { ...madeOf(sources), ...partsOf(name, args) }
}

/** How what a call gives can be taken apart again. */
function partsOf(name: string, args: readonly Value[]): Partial<Value> {
  if (name === 'array_agg') {
    const { keepsShape = false, elements } = arrayOf(args.slice(0, 1))
    return { keepsShape, ...(elements === undefined ? {} : { elements }) }
  }
  if (name === 'unnest' && args.length === 1) {
    const elements = args[0]?.elements
    return elements === undefined ? {} : { fields: elements }
  }
  if (MAKES_PARTS.has(name)) return { keepsShape: true }
  return KEEPS_PARTS.has(name) ? { keepsShape: args.slice(0, 1).every(tellsOnlyShape) } : {}
}

/** What a call that writes a definition out gives. */
function definitionOf(name: string, args: readonly Value[], walk: Walk): Value | undefined {
  const made = WRITES_DEFINITION.get(name)
  const [first] = args
  const given = unionAll(args.map(({ sources }) => sources))
  if (made !== undefined) {
    const sources = union(given, new Set([walk.reading.names.index.source(made, made.column)]))
    walk.flow.touches(sources)
    return { ...madeOf(sources), isDefinition: true }
  }
  if (name !== 'pg_get_expr' || first === undefined || first.sources === 'anything') return undefined
  const isPlain = first.isPlain && [...first.sources].every(holdsDefinitions)
  return isPlain ? { ...madeOf(given), isDefinition: true } : undefined
}

/** `trim(both '"' from pg_get_indexdef(…))`, as JDBC asks for the columns of indexes: no name in it is lost. */
function unquoted([first]: readonly Value[], call: Fields, walk: Walk): Value | undefined {
  if (first?.isDefinition !== true) return undefined
  walk.reading.textMatters()
  const trimmed = fieldsOf(nodeOf(list(call['args'])[1], 'A_Const')?.['sval'])
  return trimmed?.['sval'] === '"' ? first : undefined
}

/** Functions that are neither known nor in the catalog could do anything; STABLE and IMMUTABLE ones change nothing. */
function hasEffects(name: string, isKnown: boolean, walk: Walk): boolean {
  if (TELLS_ONLY_ARGUMENTS.has(name)) return true
  const routines = walk.reading.names.index.routines(name)
  return !isKnown && (routines.length === 0 || routines.some(({ volatility }) => volatility === 'volatile'))
}

function isNoFunction(name: string, walk: Walk): boolean {
  return !HARMLESS_FUNCTIONS.has(name) && walk.reading.names.index.routines(name).length === 0
}

const VARIES =
  /random|uuid|clock|nextval|series|unnest|count|row_number|table|each|elements|keys|query|matches/

/**
 * Calls whose value does not hang on the value of a column that they are given, and what they tell none the less. All else
 * carries its arguments: lengths, hashes and comparisons included, because each tells something of the value.
 */
const CARRIES_NOTHING: ReadonlyMap<string, (args: readonly Value[], call: Fields) => boolean> = new Map([
  // How many rows have a value: as IS NULL, which is let be known. Of an expression (`NULLIF(ssn, '1')`) it would tell the
  // value; how many different ones there are is as good as grouping by it.
  ['count', (args, call) => args.every(isColumn) && call['agg_distinct'] !== true],
  // The type is the catalog's, except of a composite or of what a polymorphic expression makes of a value.
  ['pg_typeof', (args) => args.every(isColumn)],
  ['pg_collation_for', (args) => args.every(isColumn)],
])

function isColumn(value: Value): boolean {
  return value.isPlain && value.fields === undefined
}

/** What a window is made of shows in its function's value, and in the order in which rows come. */
function readWindow(fields: Fields, scope: Scope, walk: Walk): Value {
  const parts = unionAll(list(fields['partitionClause']).map((item) => walk.expression(item, scope).sources))
  const order = unionAll(list(fields['orderClause']).map((item) => walk.expression(item, scope).sources))
  const frame = ['startOffset', 'endOffset'].map((bound) => walk.expression(fields[bound], scope).sources)
  walk.flow.infers(parts, 'group')
  walk.flow.infers(order, 'order')
  const names = [text(fields['name']), text(fields['refname'])]
  const named = names.map((name) => (name === undefined ? undefined : scope.windows.get(name)) ?? NO_SOURCES)
  return madeOf(unionAll([parts, order, ...frame, ...named]))
}

function readOperator(fields: Fields, scope: Scope, walk: Walk): Value {
  const isKnown = readOperatorName(fields['name'], walk.reading)
  const left = walk.expression(fields['lexpr'], scope)
  const right = walk.expression(fields['rexpr'], scope)
  if (!isKnown) {
    walk.flow.touches('anything')
    return ANYTHING
  }
  const isConstant = (fields['lexpr'] === undefined || left.isConstant) && right.isConstant
  if (isConstant) return CONSTANT
  const isPart = PARTS.has(nameParts(fields['name']).at(-1) ?? '')
  const keepsShape = isPart && tellsOnlyShape(left) && right.isConstant
  return { ...madeOf(union(left.sources, right.sources)), keepsShape }
}

/** Operators that take a named part out of a document. */
const PARTS: ReadonlySet<string> = new Set(['->', '#>'])

function readSubLink(fields: Fields, scope: Scope, walk: Walk): Value {
  const isKnown = readOperatorName(fields['operName'], walk.reading)
  if (!isKnown) walk.flow.touches('anything')
  const test = walk.expression(fields['testexpr'], scope)
  const select = tagged(fields['subselect'])
  if (select?.tag !== 'SelectStmt') {
    walk.reading.opaque('it holds a subquery that is none')
    return ANYTHING
  }
  const result = walk.query(select.tag, select.fields, scope)
  const [first] = result.columns
  switch (text(fields['subLinkType']) ?? '') {
    case 'EXISTS_SUBLINK':
      // Whether there are rows hangs on the conditions in it, which are inferences of their own.
      return CLEAN
    case 'EXPR_SUBLINK': {
      const isOne = result.columns.length === 1 && result.open === undefined
      if (!isOne || first === undefined) return { ...madeOf(sourcesOf(result)), fields: result.columns }
      return { ...first.value, isConstant: false, parameters: [] }
    }
    case 'ARRAY_SUBLINK': {
      const isOne = result.columns.length === 1 && result.open === undefined
      return isOne && first !== undefined
        ? { ...arrayOf([first.value]), isConstant: false }
        : madeOf(sourcesOf(result))
    }
    default:
      return isKnown ? madeOf(union(test.sources, sourcesOf(result))) : ANYTHING
  }
}
