import type { ReadingBuilder } from './reading.ts'
import { fieldsOf, nodeOf, text } from './tree.ts'

/** From here on a number stands for "no bound": the ends of PostgreSQL's int4, the commonest type of a key. */
const BEYOND = 2_147_483_647

/** Patterns that match every string, per family of operators. */
const LIKE_ALL = /^%+$/
const REGEX_ALL = /^\^?(\(?\.\*\)?)?\$?$|^[\^$]$|^\.$/

/**
 * Whether `column <operator> <literal>` lets every value through because the literal lies at the end of the range
 * (`id > -2147483648`, `id <> 2147483647`). Says that the text matters as soon as the literal was looked at.
 */
export function isExtremeBound(operator: string, bound: unknown, reading: ReadingBuilder): boolean {
  if (!['<', '<=', '>', '>=', '<>'].includes(operator)) return false
  const value = numberOf(bound)
  if (value === undefined) return false
  reading.textMatters()
  if (operator === '<>') return Math.abs(value) >= BEYOND
  return operator.startsWith('<') ? value >= BEYOND : value <= -BEYOND
}

/** Whether `column LIKE <literal>` or `column ~ <literal>` matches every string. Says so too when it looked. */
export function matchesAnything(operator: string, pattern: unknown, reading: ReadingBuilder): boolean {
  const sval = nodeOf(pattern, 'A_Const')?.['sval']
  if (sval === undefined) return false
  reading.textMatters()
  const value = text(fieldsOf(sval)?.['sval']) ?? ''
  if (operator === '~~' || operator === '~~*') return LIKE_ALL.test(value)
  return (operator === '~' || operator === '~*') && REGEX_ALL.test(value)
}

/** A number literal, with a minus and casts before it. */
function numberOf(node: unknown): number | undefined {
  const cast = nodeOf(node, 'TypeCast')
  if (cast) return numberOf(cast['arg'])
  const constant = nodeOf(node, 'A_Const')
  const ival = fieldsOf(constant?.['ival'])
  if (ival) return typeof ival['ival'] === 'number' ? ival['ival'] : 0
  const fval = fieldsOf(constant?.['fval'])
  if (fval) return Number(text(fval['fval']))
  const negated = nodeOf(node, 'A_Expr')
  if (negated === undefined || negated['lexpr'] !== undefined) return undefined
  const value = numberOf(negated['rexpr'])
  return value === undefined ? undefined : -value
}
