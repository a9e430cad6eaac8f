import { hkdfSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { SallyportError } from '../access/errors.ts'
import { Secret } from '../access/secret.ts'
import type { Config } from './config.ts'
import { keptFile } from './kept-file.ts'

const KEY_BYTES = 32

/**
 * The configured master key, or the one in `dataDir/master.key`, made on the first start. As 64 hexadecimal digits.
 * @throws SallyportError CONFIG_INVALID when it is not 32 bytes in hexadecimal or base64
 */
export async function masterKey(config: Pick<Config, 'masterKey' | 'dataDir'>): Promise<Secret> {
  if (config.masterKey !== undefined) return canonical(config.masterKey.reveal(), 'masterKey')
  const path = join(config.dataDir, 'master.key')
  return canonical(await keptFile(path, () => `${randomBytes(KEY_BYTES).toString('hex')}\n`), path)
}

/**
 * A key for one purpose: HKDF-SHA-256 (RFC 5869) of the master key, the purpose as `info`. 32 bytes. Whoever gets hold
 * of one learns nothing about the others.
 */
export function deriveKey(master: Secret, purpose: string): Buffer {
  const secret = Buffer.from(master.reveal(), 'hex')
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `sallyport ${purpose}`, KEY_BYTES))
}

function canonical(text: string, where: string): Secret {
  const trimmed = text.trim()
  const bytes = /^[0-9a-f]{64}$/i.test(trimmed)
    ? Buffer.from(trimmed, 'hex')
    : /^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)
      ? Buffer.from(trimmed, 'base64')
      : undefined
  if (bytes?.length === KEY_BYTES) return new Secret(bytes.toString('hex'))
  throw new SallyportError(
    'CONFIG_INVALID',
    `the master key in ${where} is not a key of ${KEY_BYTES} bytes`,
    {
      hint: 'write 64 hexadecimal digits, as "openssl rand -hex 32" prints them',
    },
  )
}
