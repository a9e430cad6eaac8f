import { randomBytes } from 'node:crypto'

/** Crockford's base32 in lower case: no letters that are taken for digits, and double-click selects it whole. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * A session's id: `ses_`, nine characters of time in milliseconds, seven of chance. Ids sort by when they were made, and
 * 35 random bits per millisecond keep them apart.
 */
export function newSessionId(now: number): string {
  let time = ''
  for (let left = now, i = 0; i < 9; i++, left = Math.floor(left / 32)) time = `${ALPHABET[left % 32]}${time}`
  const chance = [...randomBytes(7)].map((byte) => ALPHABET[byte % 32]).join('')
  return `ses_${time}${chance}`
}
