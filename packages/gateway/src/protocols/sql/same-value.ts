import type { ReadingBuilder } from './reading.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, nameParts, nodeOf, text } from './tree.ts'

const ZERO = { A_Const: { ival: {} } }

/** Functions of PostgreSQL's own whose result is never below zero. */
const NEVER_NEGATIVE: ReadonlySet<string> = new Set([
  'abs',
  'bit_length',
  'cardinality',
  'char_length',
  'character_length',
  'length',
  'octet_length',
])

/** Deeper than anybody writes by hand; each step takes one operator off. */
const MAX_STEPS = 32

/**
 * An expression without what does not change its value: `id + 0`, `1 * id`, `name || ''` are `id` and `name`, and `id * 0` is 0.
 * Says that the text matters where a literal was looked at.
 */
export function withoutNeutral(node: unknown, reading: ReadingBuilder): unknown {
  let here = node
  for (let step = 0; step < MAX_STEPS; step++) {
    const fields = nodeOf(here, 'A_Expr')
    if (fields === undefined || text(fields['kind']) !== 'AEXPR_OP') return here
    const next = withoutOperator(fields, reading)
    if (next === undefined) return here
    here = next
  }
  return here
}

function withoutOperator({ lexpr, rexpr, name }: Fields, reading: ReadingBuilder): unknown {
  const left = constant(lexpr)
  const right = constant(rexpr)
  if (left === undefined && right === undefined) return undefined
  reading.textMatters()
  switch (nameParts(name).at(-1) ?? '') {
    case '+':
      return right === 0 ? lexpr : left === 0 ? rexpr : undefined
    case '-':
      return right === 0 && lexpr !== undefined ? lexpr : undefined
    case '*':
      if (left === 0 || right === 0) return ZERO
      return right === 1 ? lexpr : left === 1 ? rexpr : undefined
    case '/':
      return right === 1 ? lexpr : undefined
    case '||':
      return right === '' ? lexpr : left === '' ? rexpr : undefined
    default:
      return undefined
  }
}

/** `length(x) >= 0`, `abs(x) > -1`: true of every value. */
export function isNeverNegative(
  operator: string,
  call: unknown,
  bound: unknown,
  reading: ReadingBuilder,
): boolean {
  const name = nameParts(nodeOf(call, 'FuncCall')?.['funcname']).at(-1)
  if (name === undefined || !NEVER_NEGATIVE.has(name)) return false
  const value = constant(bound)
  if (typeof value !== 'number') return false
  reading.textMatters()
  return (operator === '>=' && value <= 0) || (operator === '>' && value < 0)
}

/** The NULL of `id IS DISTINCT FROM NULL`. */
export function isNull(node: unknown): boolean {
  return nodeOf(node, 'A_Const')?.['isnull'] === true
}

function constant(node: unknown): number | string | undefined {
  const negated = nodeOf(node, 'A_Expr')
  if (negated !== undefined && negated['lexpr'] === undefined && nameParts(negated['name']).at(-1) === '-') {
    const value = constant(negated['rexpr'])
    return typeof value === 'number' ? -value : undefined
  }
  const fields = nodeOf(node, 'A_Const')
  const ival = fieldsOf(fields?.['ival'])
  if (ival) return typeof ival['ival'] === 'number' ? ival['ival'] : 0
  const sval = fieldsOf(fields?.['sval'])
  return sval && (text(sval['sval']) ?? '')
}
