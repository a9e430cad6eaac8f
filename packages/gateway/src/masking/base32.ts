/** RFC 4648 §6 without padding and in lower case: survives whatever folds the case of e-mail addresses. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

export function base32(bytes: Buffer): string {
  let text = ''
  let bits = 0
  let pending = 0
  for (const byte of bytes) {
    pending = (pending << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET.charAt((pending >> bits) & 31)
    }
    pending &= (1 << bits) - 1
  }
  return bits > 0 ? text + ALPHABET.charAt((pending << (5 - bits)) & 31) : text
}

/** @returns undefined for what `base32` does not write */
export function fromBase32(text: string): Buffer | undefined {
  const bytes: number[] = []
  let bits = 0
  let pending = 0
  for (const character of text) {
    const digit = ALPHABET.indexOf(character)
    if (digit < 0) return undefined
    pending = (pending << 5) | digit
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push((pending >> bits) & 255)
    }
    pending &= (1 << bits) - 1
  }
  const decoded = Buffer.from(bytes)
  return base32(decoded) === text ? decoded : undefined
}
