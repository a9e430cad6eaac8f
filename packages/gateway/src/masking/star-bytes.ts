import type { MaskSpec } from '../access/masking.ts'

type Keep = Extract<MaskSpec, { method: 'partial' }>['keep']

/** As `partial` in partial.ts, which says how many. */
const KEPT = 4
const STAR = 0x2a

/** What each byte of ASCII becomes: a letter or digit a star, anything else itself. */
const STARRED = Uint8Array.from({ length: 128 }, (_, byte) =>
  /[A-Za-z0-9]/.test(String.fromCharCode(byte)) ? STAR : byte,
)

/**
 * `partial` for texts, on their bytes and where they are: what is ASCII keeps its length, and results of millions of rows
 * have no text made of each value.
 * @returns undefined where it changes lengths
 */
export function starsOf(
  keep: Keep,
): ((bytes: Uint8Array, start: number, end: number) => boolean) | undefined {
  switch (keep) {
    case 'last4':
      return starAllButLast
    case 'initials':
      return starAllButInitials
    case 'domain':
      return undefined
  }
}

/** @returns false when it is not ASCII: it is as it was then */
function starAllButLast(bytes: Uint8Array, start: number, end: number): boolean {
  if (!isAscii(bytes, start, end)) return false
  let count = 0
  let kept = end
  for (let at = end - 1; at >= start && count < 2 * KEPT; at--) {
    if (!isAlphanumeric(bytes[at] ?? 0)) continue
    count += 1
    if (count === KEPT) kept = at
  }
  const until = count < 2 * KEPT ? end : kept
  for (let at = start; at < until; at++) bytes[at] = STARRED[bytes[at] ?? 0] ?? STAR
  return true
}

/** @returns false when it is not ASCII: it is as it was then */
function starAllButInitials(bytes: Uint8Array, start: number, end: number): boolean {
  if (!isAscii(bytes, start, end)) return false
  let isWithin = false
  for (let at = start; at < end; at++) {
    const isNow = isAlphanumeric(bytes[at] ?? 0)
    // A word of one letter is hidden whole.
    if (isNow && (isWithin || at + 1 === end || !isAlphanumeric(bytes[at + 1] ?? 0))) bytes[at] = STAR
    isWithin = isNow
  }
  return true
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let all = 0
  for (let at = start; at < end; at++) all |= bytes[at] ?? 0
  return all < 0x80
}

function isAlphanumeric(byte: number): boolean {
  return STARRED[byte] === STAR && byte !== STAR
}
