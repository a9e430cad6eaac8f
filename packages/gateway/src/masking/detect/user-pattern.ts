import { linearPattern } from '../../access/linear-pattern.ts'
import type { ClassPattern } from '../../access/masking.ts'
import type { Detector, Span } from './span.ts'

/**
 * A detector for a pattern of somebody's own: customer numbers, names of projects. It is matched within lines.
 * @throws PatternInvalid
 */
export function userPatternDetector({ dataClass, pattern }: ClassPattern): Detector {
  const compiled = linearPattern(pattern)
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
          const [start, end] = [offset + matcher.start(), offset + matcher.end()]
          spans.push({ entity: 'custom', rule: dataClass, start, end, score: 1 })
        }
        offset += line.length + 1
      }
      return spans
    },
  }
}
