import { randomBytes } from 'node:crypto'

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
const LENGTH = 16

/** `lea_` and 80 random bits in lower-case base32: short enough for a role's name, too many to meet twice. */
export function newLeaseId(): string {
  const letters = [...randomBytes(LENGTH)].map((byte) => BASE32.charAt(byte % BASE32.length))
  return `lea_${letters.join('')}`
}
