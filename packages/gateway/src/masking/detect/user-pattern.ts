import { RE2JS, RE2JSException } from 're2js'
import { SallyportError } from '../../access/errors.ts'
import type { Detector, Span } from './span.ts'

/** A rule of somebody's own: customer numbers, project names. */
export interface UserPattern {
  readonly name: string
  /** RE2's syntax: no backreferences, no lookaround. */
  readonly pattern: string
  readonly ignoresCase?: boolean
}

/** RE2 needs time in proportion to pattern times text; this keeps one factor small. */
const LONGEST_PATTERN = 1000

/**
 * A detector for a user's pattern, which is run in time linear in the text whatever the pattern (RE2). It is matched within
 * lines.
 * @throws SallyportError RESOURCE_INVALID when it is no pattern, is too long, or matches the empty text
 */
export function userPatternDetector({ name, pattern, ignoresCase }: UserPattern): Detector {
  const compiled = compile(name, pattern, ignoresCase === true)
  return {
    entities: ['custom'],
    reach: 'lines',
    find: (text) => {
      const spans: Span[] = []
      let offset = 0
      for (const line of text.split('\n')) {
        const matcher = compiled.matcher(line)
        while (matcher.find()) {
          if (matcher.end() === matcher.start()) continue
          spans.push({
            entity: 'custom',
            rule: name,
            start: offset + matcher.start(),
            end: offset + matcher.end(),
            score: 1,
          })
        }
        offset += line.length + 1
      }
      return spans
    },
  }
}

function compile(name: string, pattern: string, ignoresCase: boolean): RE2JS {
  const refuse = (why: string, cause?: unknown): never => {
    throw new SallyportError('RESOURCE_INVALID', `the pattern "${name}" ${why}`, {
      hint: 'patterns are in the syntax of RE2: https://github.com/google/re2/wiki/Syntax',
      cause,
    })
  }
  if (pattern.length > LONGEST_PATTERN) return refuse(`has more than ${LONGEST_PATTERN} characters`)
  try {
    const compiled = RE2JS.compile(pattern, ignoresCase ? RE2JS.CASE_INSENSITIVE : 0)
    return compiled.matches('') ? refuse('matches the empty text, so it would match everywhere') : compiled
  } catch (error) {
    if (error instanceof RE2JSException) return refuse(`cannot be read: ${error.message}`, error)
    throw error
  }
}
