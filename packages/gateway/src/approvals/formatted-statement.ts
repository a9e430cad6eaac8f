import { format } from 'sql-formatter'

/** Formatting takes time that grows with the text, and nobody reads more in one sitting. */
const MAX_FORMATTED = 16 * 1024

/**
 * The statement laid out for reading, beside the text itself: it may be laid out wrongly, and is never what runs. Undefined
 * where it cannot be.
 */
export function formattedStatement(text: string): string | undefined {
  if (text.length > MAX_FORMATTED) return undefined
  try {
    return format(text, { language: 'postgresql', keywordCase: 'preserve', linesBetweenQueries: 1 })
  } catch {
    return undefined
  }
}
