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
  const zero = bytes.indexOf(0, at)
  if (zero === -1 || zero >= end) return undefined
  return { text: bytes.toString('utf8', at, zero), next: zero + 1 }
}
