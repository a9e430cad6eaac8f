import { RE2JS, RE2JSException } from 're2js'

/** RE2 needs time in proportion to pattern times text; this keeps one factor small. */
const LONGEST_PATTERN = 1000

/** A pattern that somebody wrote cannot be used. The message says why, after "the pattern". */
export class PatternInvalid extends Error {}

/**
 * Compiles a pattern in the syntax of RE2, which is matched in time linear in the text whatever it says. JavaScript's own would
 * let whoever writes one stop the gateway with a text of thirty characters.
 * @throws PatternInvalid when it is none, is too long, or matches the empty text and so everywhere
 */
export function linearPattern(pattern: string): RE2JS {
  if (pattern.length > LONGEST_PATTERN)
    throw new PatternInvalid(`has more than ${LONGEST_PATTERN} characters`)
  try {
    const compiled = RE2JS.compile(pattern)
    if (!compiled.matches('')) return compiled
  } catch (error) {
    if (error instanceof RE2JSException) throw new PatternInvalid(`cannot be read: ${error.message}`)
    throw error
  }
  throw new PatternInvalid('matches the empty text, so it would match everywhere')
}
