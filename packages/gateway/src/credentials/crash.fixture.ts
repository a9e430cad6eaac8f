/**
 * A gateway's leases in a process of their own, which ends itself by SIGKILL at one step. Reads JSON from
 * stdin.
 */
import { readFileSync, writeSync } from 'node:fs'
import { Client } from 'pg'
import { z } from 'zod'
import type { Target } from '../access/model.ts'
import { Secret } from '../access/secret.ts'
import type { CredentialIssuer } from '../protocols/contract.ts'
import { connectUpstream } from '../protocols/postgres/upstream.ts'
import { openLeaseWorld, READ, withChanges, WRITE } from './leases.fixture.ts'

export const STEPS = [
  'planned',
  'role made',
  'issued',
  'connected',
  'made ahead',
  'changing',
  'elevating',
  'elevated',
  'restoring',
  'revoking',
  'dropped',
] as const

const Input = z.object({
  step: z.enum(STEPS),
  storeUrl: z.string(),
  port: z.number(),
  username: z.string(),
  password: z.string(),
})

if (import.meta.main) await crash(Input.parse(JSON.parse(readFileSync(0, 'utf8'))))

async function crash({ step, storeUrl, port, username, password }: z.infer<typeof Input>): Promise<void> {
  const target: Target = {
    name: 'shop',
    protocol: 'postgres',
    address: { host: '127.0.0.1', port },
    database: 'shop',
    tls: { mode: 'disable' },
    tags: {},
    recording: 'written',
    credentials: {
      issuer: 'postgres-role',
      username,
      password: new Secret(password),
      ttlSeconds: 900,
      prewarm: step === 'made ahead' ? 2 : 0,
    },
  }
  let connections = 0
  let assigned = 0
  const world = await openLeaseWorld(new Secret(storeUrl), target, (options) => ({
    ...options,
    store: withChanges(options.store, {
      plan: (row: Parameters<typeof options.store.plan>[0]) =>
        after(step === 'planned', options.store.plan(row)),
      issued: (id: string) => after(step === 'issued', options.store.issued(id)),
    }),
    issuers: (name) => {
      const issuer = options.issuers(name)
      return issuer === undefined ? undefined : dying(issuer)
    },
    connect: async (to, credential, signal) => {
      const upstream = await connectUpstream(to, credential, signal)
      connections++
      if (step === 'connected' || (step === 'made ahead' && connections === 3)) {
        process.kill(process.pid, 'SIGKILL')
      }
      return upstream
    },
  }))

  function dying(issuer: CredentialIssuer): CredentialIssuer {
    return withChanges(issuer, {
      assign: async (...args) => {
        if (step === 'restoring' && assigned++ === 1) process.kill(process.pid, 'SIGKILL')
        await after(step === 'changing' || step === 'elevating', issuer.assign(...args))
      },
      issue: async (plan, signal) => {
        const credential = await issuer.issue(plan, signal)
        writeSync(
          1,
          `${JSON.stringify({ username: credential.username, secret: credential.secret.reveal() })}\n`,
        )
        if (step === 'role made') process.kill(process.pid, 'SIGKILL')
        return credential
      },
      revoke: async (handle, signal) => {
        if (step === 'revoking') {
          const client = new Client({
            host: '127.0.0.1',
            port,
            user: username,
            password,
            database: 'shop',
          })
          await client.connect()
          await client.query(`ALTER ROLE ${handle} NOLOGIN`)
          process.kill(process.pid, 'SIGKILL')
        }
        await after(step === 'dropped', issuer.revoke(handle, signal))
      },
    })
  }

  const signal = AbortSignal.timeout(30_000)
  const lease = await world.leases.issue({
    permit: world.permit(),
    capability: READ,
    sessionId: 'ses_crash',
    signal,
  })
  await lease.connect(signal)
  if (step === 'changing') await lease.change(WRITE)
  if (step === 'elevating' || step === 'elevated' || step === 'restoring') {
    const privilege = await after(step === 'elevated', lease.elevate(WRITE))
    await privilege.release()
  }
  if (step === 'made ahead') await new Promise((resolve) => setTimeout(resolve, 20_000))
  await lease[Symbol.asyncDispose]()
  throw new Error(`did not get to "${step}"`)
}

async function after<T>(reached: boolean, work: Promise<T>): Promise<T> {
  const result = await work
  if (reached) process.kill(process.pid, 'SIGKILL')
  return result
}
