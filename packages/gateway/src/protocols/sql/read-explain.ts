import type { ReadingBuilder } from './reading.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, text } from './tree.ts'

/**
 * EXPLAIN. With ANALYZE it runs what it explains. Without, it plans: nothing is changed, and the plan has no data in it but
 * what functions gave that were called to plan.
 */
export function readExplain(
  fields: Fields,
  reading: ReadingBuilder,
  readInner: (statement: unknown, reading: ReadingBuilder) => void,
): void {
  readInner(fields['query'], reading)
  if (!list(fields['options']).some(isAnalyze)) reading.onlyPlans()
  const { executesStatement, ...flow } = reading.flow
  // What a prepared statement calls is not known here.
  const isKnown = executesStatement === undefined && !reading.runsUnknownCode
  reading.flows({ ...flow, outputs: [{ sources: isKnown ? [] : 'anything', isPlain: false }] })
}

/** An option can be given more than once, and the last one counts; a false one before or behind it is not looked at. */
function isAnalyze(option: unknown): boolean {
  const fields = nodeOf(option, 'DefElem')
  if (text(fields?.['defname']) !== 'analyze') return false
  const arg = fields?.['arg']
  if (arg === undefined) return true
  const integer = nodeOf(arg, 'Integer')
  if (integer) return (integer['ival'] ?? 0) !== 0
  const boolean = fieldsOf(nodeOf(arg, 'Boolean'))
  if (boolean) return boolean['boolval'] === true
  return !['false', 'off', 'no', '0'].includes(text(nodeOf(arg, 'String')?.['sval'])?.toLowerCase() ?? '')
}
