import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import type { JWK } from 'jose'

/** ES256: its tokens are short enough for a PostgreSQL password message and quick to check. */
export const SIGNING_ALGORITHM = 'ES256'

/**
 * The private key that tokens are signed with. With a data directory it is kept in `dev-idp/signing-key.json` (mode
 * 0600), so that tokens and the gateway's cached keys outlive a restart.
 * @throws Error when the file is there and does not hold a key
 */
export async function signingKey(dataDir: string | undefined): Promise<JWK> {
  if (dataDir === undefined) return await newKey()
  const directory = join(dataDir, 'dev-idp')
  const file = join(directory, 'signing-key.json')
  try {
    return readKey(await readFile(file, 'utf8'), file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const key = await newKey()
  await mkdir(directory, { recursive: true, mode: 0o700 })
  // `wx`: never over a key that another process made meanwhile.
  await writeFile(file, `${JSON.stringify(key)}\n`, { mode: 0o600, flag: 'wx' })
  return key
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: SIGNING_ALGORITHM, use: 'sig' }
}

function readKey(text: string, file: string): JWK {
  const key: unknown = parsed(text)
  if (typeof key !== 'object' || key === null || !('kty' in key) || key.kty !== 'EC' || !('d' in key)) {
    throw new Error(`${file} does not hold a signing key; remove it and a new one is made`)
  }
  return { ...key, kty: 'EC', d: String(key.d) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
