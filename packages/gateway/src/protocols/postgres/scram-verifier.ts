import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import type { Secret } from '../../access/secret.ts'

const SALT_BYTES = 16
const KEY_BYTES = 32

/**
 * What PostgreSQL stores of a password (RFC 5803 in PostgreSQL's form, `pg_authid.rolpassword`):
 * `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. Sent in place of the password, it lets the
 * role log in with the password while neither the target's log nor its activity view ever sees one.
 *
 * One iteration by default. Iterations make guessing dear for whoever has stolen the verifier, which matters
 * for words that people choose. Ours are 192 random bits: nobody tries 2^191 of them, at any price per try,
 * and 4,096 iterations would cost three times per session (here, in the client's proof, and 4 ms inside
 * CREATE ROLE itself).
 *
 * The password is hashed as it is: it has to be ASCII, for which SASLprep (RFC 4013) changes nothing.
 */
export function scramVerifier(
  password: Secret,
  { iterations = 1, salt = randomBytes(SALT_BYTES) }: { iterations?: number; salt?: Buffer } = {},
): string {
  const salted = pbkdf2Sync(password.reveal(), salt, iterations, KEY_BYTES, 'sha256')
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64')
  const serverKey = hmac(salted, 'Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
