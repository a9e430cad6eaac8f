/** A name is mostly the one that came before; what is longer is a statement. */
const MAX_NAME = 64
let last = ''

/**
 * The zero-terminated string that starts at `at`, and where the next byte after it is. Undefined when there is no
 * terminator before `end`.
 */
export function readCString(
  bytes: Buffer,
  at: number,
  end: number,
): { readonly text: string; readonly next: number } | undefined {
  // Most statements and portals have no name.
  if (at < end && bytes[at] === 0) return { text: '', next: at + 1 }
  if (isLast(bytes, at, end)) return { text: last, next: at + last.length + 1 }
  const zero = bytes.indexOf(0, at)
  if (zero === -1 || zero >= end) return undefined
  const text = bytes.toString('utf8', at, zero)
  // With as many units as bytes it is ASCII, or has U+FFFD in it, which no byte is equal to.
  if (text.length === zero - at && text.length <= MAX_NAME) last = text
  return { text, next: zero + 1 }
}

function isLast(bytes: Buffer, at: number, end: number): boolean {
  const zero = at + last.length
  if (zero >= end || bytes[zero] !== 0) return false
  for (let i = 0; i < last.length; i++) if (bytes[at + i] !== last.charCodeAt(i)) return false
  return true
}
