import { styleText } from 'node:util'

/** What the tour prints: on a terminal in colour, in a file as plain text. */
export interface Screen {
  title(text: string): void
  line(text: string): void
  /** Something that a program printed, indented and cut to a readable length. */
  quote(text: string, lines?: number): void
  check(ok: boolean, text: string): void
}

const MAX_QUOTED_LINES = 16

export function screenOn(out: NodeJS.WriteStream): Screen {
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    styleText(format, text, { stream: out })
  const print = (text: string): void => {
    out.write(`${text}\n`)
  }
  return {
    title: (text) => print(`\n${style('bold', text)}`),
    line: (text) => print(`  ${text}`),
    quote: (text, most = MAX_QUOTED_LINES) => {
      const lines = text.trimEnd().split('\n')
      for (const line of lines.slice(0, most)) print(`    ${style('dim', line)}`)
      if (lines.length > most) print(`    ${style('dim', `… ${lines.length - most} more lines`)}`)
    },
    check: (ok, text) => print(`  ${ok ? style('green', '✓') : style('red', '✗')} ${text}`),
  }
}
