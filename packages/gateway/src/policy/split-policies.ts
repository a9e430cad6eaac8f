/** One policy's text and where it starts in its file, in UTF-16 units. */
export interface PolicyText {
  readonly text: string
  readonly offset: number
}

/**
 * Cuts a file into its policies, so that each can be parsed, named and blamed by itself. A policy ends at a `;` outside
 * of strings and comments (docs.cedarpolicy.com/policies/syntax-grammar). Every piece is then parsed by Cedar as exactly
 * one policy, so that a wrong cut can only be an error, never another meaning.
 */
export function splitPolicies(file: string): readonly PolicyText[] {
  const policies: PolicyText[] = []
  let start = -1
  for (let at = 0; at < file.length; at++) {
    const c = file[at]
    if (c === '/' && file[at + 1] === '/') {
      const end = endOfLine(file, at)
      at = end
      continue
    }
    if (c === undefined || /\s/.test(c)) continue
    if (start < 0) start = at
    if (c === '"') {
      at = endOfString(file, at)
    } else if (c === ';') {
      policies.push({ text: file.slice(start, at + 1), offset: start })
      start = -1
    }
  }
  if (start >= 0) policies.push({ text: file.slice(start), offset: start })
  return policies
}

/** Cedar's lexer ends a comment at either of these. */
function endOfLine(file: string, from: number): number {
  let at = from
  while (at < file.length && file[at] !== '\n' && file[at] !== '\r') at += 1
  return at
}

function endOfString(file: string, from: number): number {
  let at = from + 1
  while (at < file.length && file[at] !== '"') at += file[at] === '\\' ? 2 : 1
  return at
}
