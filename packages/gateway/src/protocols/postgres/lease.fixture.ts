import { createSecureContext, type SecureContext } from 'node:tls'
import { startTargetPostgres, type TargetPostgres } from '../../../../../test/harness/postgres.ts'
import type { Target } from '../../access/model.ts'
import { Secret } from '../../access/secret.ts'
import { makeSelfSigned } from '../../config/self-signed.ts'
import type { Credential } from '../contract.ts'

export const LEASE: Credential = {
  username: 'lease',
  secret: new Secret('a temporary secret'),
  readOnly: false,
}

/** A server with a role that stands for a temporary credential, and a table `marks` for it to write to. */
export async function startLeasedTarget(
  options: Parameters<typeof startTargetPostgres>[0] = {},
): Promise<{ readonly server: TargetPostgres; readonly target: Target }> {
  const server = await startTargetPostgres(options)
  const admin = await server.client()
  await admin.query(
    `CREATE ROLE lease LOGIN PASSWORD '${LEASE.secret.reveal()}';
     CREATE TABLE marks (n int);
     GRANT ALL ON marks TO lease; GRANT CREATE ON SCHEMA public TO lease`,
  )
  return { server, target: targetAt(server.port, 'disable') }
}

export function targetAt(port: number, mode: Target['tls']['mode'], ca?: string): Target {
  return {
    name: 'shop',
    protocol: 'postgres',
    address: { host: '127.0.0.1', port },
    database: 'postgres',
    tls: { mode, ...(ca === undefined ? {} : { ca }) },
    tags: {},
    credentials: {
      issuer: 'postgres-role',
      username: 'none',
      password: new Secret(''),
      ttlSeconds: 60,
      prewarm: 0,
    },
    recording: 'written',
  }
}

/** The certificate that the gateway shows to clients. */
export function gatewayCertificate(): SecureContext {
  const { cert, key } = makeSelfSigned(['localhost'])
  return createSecureContext({ cert, key: key.reveal() })
}

export function noIssuer(): never {
  throw new Error('these tests make no credentials')
}
