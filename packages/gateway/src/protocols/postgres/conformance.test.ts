import pg from 'pg'
import { type ConformanceClient, describeAdapter } from '../conformance.ts'
import { PostgresAdapter } from './index.ts'
import { gatewayCertificate, LEASE, noIssuer, startLeasedTarget } from './lease.fixture.ts'
import { StatementReader } from './parser.ts'
import { bytes, client as wire, startup } from './wire.fixture.ts'

async function connect(port: number): Promise<ConformanceClient> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'any', password: 'ticket', database: 'shop' })
  let told = ''
  client.on('error', (error) => {
    if (told === '') told = error.message
  })
  const closed = new Promise<string>((resolve) => {
    client.on('end', () => resolve(told))
  })
  await client.connect()
  return {
    closed,
    allowed: async () => {
      await client.query('INSERT INTO marks VALUES (1)')
    },
    denied: async () => {
      const error: unknown = await client.query('DROP TABLE marks').catch((thrown: unknown) => thrown)
      if (!(error instanceof pg.DatabaseError)) throw new Error('it was not denied')
      return [error.code, error.message, error.hint, error.where].join('\n')
    },
    vanish: () => {
      if (!client.connection.stream.destroyed) client.connection.stream.destroy()
    },
  }
}

describeAdapter('PostgreSQL', async () => {
  const { server, target } = await startLeasedTarget()
  const admin = await server.client()
  const reader = new StatementReader({ threads: 1 })
  const count = async (sql: string): Promise<number> => {
    const { rows } = await admin.query<{ n: number }>(sql)
    return rows[0]?.n ?? -1
  }
  return {
    adapter: new PostgresAdapter({ tls: gatewayCertificate(), reader, issuerFor: noIssuer }),
    target,
    credential: LEASE,
    permits: (reading) => reading.operations.every((operation) => operation.action !== 'drop'),
    client: connect,
    reached: () => count('SELECT count(*)::int AS n FROM marks'),
    connections: () => count(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'lease'`),
    garbage: [
      bytes('00000008'),
      bytes('00000008 04d2162f'),
      bytes('00000008 04d2162f "not a ClientHello"'),
      bytes('00000008 04d21630 00000008 04d21630 00000008 04d21630 00000008 04d21630'),
      bytes('7fffffff 00030000'),
      bytes('00000000'),
      bytes('ffffffff'),
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.from('SSH-2.0-OpenSSH_9.9\r\n'),
      startup({}),
      startup({ user: 'a' }).subarray(0, 10),
      startup({ user: 'a', replication: 'database' }),
      Buffer.concat([startup({ user: 'a' }), wire.query('SELECT 1')]),
      Buffer.concat([startup({ user: 'a' }), bytes('70 7fffffff')]),
      Buffer.concat([startup({ user: 'a' }), bytes('70 00000006 "xx"')]),
      Buffer.concat([startup({ user: 'a' }), bytes('70 00000000')]),
      startup({ user: 'a' }, 0x00020000),
    ],
    [Symbol.asyncDispose]: async () => {
      await reader.close()
      await server.stop()
    },
  }
})
