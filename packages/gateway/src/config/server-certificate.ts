import { createPrivateKey, X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { SallyportError } from '../access/errors.ts'
import { Secret } from '../access/secret.ts'
import type { Config } from './config.ts'
import { keptFile } from './kept-file.ts'
import { makeSelfSigned } from './self-signed.ts'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/

/**
 * The configured certificate and key, or the self-signed pair that is made once and kept in `dataDir/server.pem`. Both
 * as PEM. `sslrootcert=<dataDir>/server.crt` makes a client verify the latter.
 * @throws SallyportError CONFIG_INVALID when they cannot be read or are not each other's
 */
export async function serverCertificate(
  config: Pick<Config, 'tls' | 'dataDir' | 'listen'>,
): Promise<{ readonly cert: string; readonly key: Secret }> {
  if (config.tls !== undefined) return checked(config.tls, '"tls"')
  const path = join(config.dataDir, 'server.pem')
  const names = new Set(['localhost', '127.0.0.1', '::1', hostname(), config.listen.postgres.host])
  for (const wildcard of ['0.0.0.0', '::']) names.delete(wildcard)
  // One file, so that a crash cannot leave a certificate with another one's key.
  const pair = await keptFile(path, () => {
    const made = makeSelfSigned([...names])
    return `${made.cert}${made.key.reveal()}`
  })
  const cert = CERTIFICATE.exec(pair)?.[0] ?? ''
  const valid = checked({ cert, key: new Secret(pair.replace(CERTIFICATE, '')) }, path)
  await keptFile(join(config.dataDir, 'server.crt'), () => cert)
  return valid
}

function checked(pair: { cert: string; key: Secret }, where: string): { cert: string; key: Secret } {
  try {
    const matches = new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key.reveal()))
    if (matches) return pair
  } catch {
    throw invalid(`${where}: the certificate or its key is not PEM`)
  }
  throw invalid(`${where}: the key is not the certificate's`)
}

function invalid(message: string): SallyportError {
  return new SallyportError('CONFIG_INVALID', message, {
    hint: 'give a PEM certificate with its unencrypted private key, or leave "tls" out for a self-signed one',
  })
}
