import { follows, holdsNumber } from './span.ts'
import type { Detector, Span } from './span.ts'

// SSA, "Social Security Number Randomization": areas 000, 666 and 900–999, group 00 and serial 0000 are never given.
const WRITTEN = /(?<![\w-]|\d[ .-])(?!000|666|9)\d{3}([-. ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-]|[. ]\d)/g
const BARE = /(?<![\w.-])(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}(?![\w-]|\.\d)/g
const WORDS = /\b(?:ssns?|ss#|social|tax ?(?:payer)?(?: id)?)\b/i
/** Printed in advertisements, and so in many tests. */
const NOBODYS = new Set(['078051120', '219099999', '123456789'])

/** United States social security numbers. They have no check digit: nine digits in a row need a word that says so. */
export const usSsnDetector: Detector = {
  entities: ['us-ssn'],
  reach: 'tokens',
  find: (text) => {
    const spans: Span[] = []
    if (!holdsNumber(text)) return spans
    for (const { 0: found, 1: separator, index } of text.matchAll(WRITTEN)) {
      const isNamed = follows(text, index, WORDS)
      const score = isNamed ? 1 : separator === '-' ? 0.85 : 0.76
      spans.push({ entity: 'us-ssn', start: index, end: index + found.length, score })
    }
    for (const { 0: found, index } of text.matchAll(BARE)) {
      if (NOBODYS.has(found) || !follows(text, index, WORDS)) continue
      spans.push({ entity: 'us-ssn', start: index, end: index + found.length, score: 0.8 })
    }
    return spans
  },
}
