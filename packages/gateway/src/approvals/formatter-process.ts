import { format } from 'sql-formatter'

/** Lays out the one text that it is sent, answers, and ends. Null: it cannot be laid out. */
process.once('message', (text) => {
  process.send?.(laidOut(String(text)), () => process.disconnect())
})

function laidOut(text: string): string | null {
  try {
    return format(text, { language: 'postgresql', keywordCase: 'preserve', linesBetweenQueries: 1 })
  } catch {
    return null
  }
}
