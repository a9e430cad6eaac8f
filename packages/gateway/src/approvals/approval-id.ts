import { randomBytes } from 'node:crypto'

/** Crockford's base32 in lower case, as in session ids. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** `apr_`, nine characters of time in milliseconds, eleven of chance (55 bits): sorts by time and cannot be guessed. */
export function newApprovalId(now: number): string {
  let time = ''
  for (let left = now, i = 0; i < 9; i++, left = Math.floor(left / 32)) time = `${ALPHABET[left % 32]}${time}`
  const chance = [...randomBytes(11)].map((byte) => ALPHABET[byte % 32]).join('')
  return `apr_${time}${chance}`
}
