import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { asked, statement } from '../../packages/gateway/src/approvals/approval.fixture.ts'
import type { ApprovalAsked } from '../../packages/gateway/src/approvals/ports.ts'
import type { Principal } from '../../packages/gateway/src/access/model.ts'
import { type GatewayProcess, startGatewayProcess } from '../harness/gateway-process.ts'
import { type Ended, runProgram, startProgram } from '../harness/programs.ts'
import { startTestWorld, type TestWorld, type TokenWish } from '../harness/test-world.ts'
import { leaveWaiting } from '../harness/waiting-approvals.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const BIN = join(import.meta.dirname, '../../packages/cli/bin/sallyport.js')
const DBA: TokenWish = { groups: ['dba'] }
const BIDI = 'UPDATE orders SET status = $1 WHERE id = $2 -- \u202Eenod'

let world: TestWorld
let gateway: GatewayProcess
const ids: string[] = []

beforeAll(async () => {
  world = await startTestWorld()
  const ana: Principal = {
    kind: 'user',
    id: 'ana',
    issuer: world.idp.url,
    subject: 'ana',
    groups: ['readers'],
    attributes: {},
  }
  const agent: Principal = {
    ...ana,
    kind: 'agent',
    id: 'insight-agent',
    subject: 'insight-agent',
    actingFor: ana,
  }
  const two = { ...asked().need, rules: [{ policy: 'p', approvers: ['dba'], quorum: 2, ttlSeconds: 900 }] }
  const wishes: Partial<ApprovalAsked>[] = [
    {
      statement: statement({ text: BIDI }),
      reported: { purpose: 'refund the duplicates', prompt: 'please refund' },
    },
    { statement: statement({ text: 'DELETE FROM orders WHERE id = 1', parameters: [] }) },
    { statement: statement({ text: 'DELETE FROM orders WHERE id = 2', parameters: [] }), need: two },
    { statement: statement({ text: 'DELETE FROM orders WHERE id = 3', parameters: [] }) },
  ]
  ids.push(
    ...(await leaveWaiting(
      world,
      wishes.map((wish) => asked({ principal: agent, ...wish })),
    )),
  )
  gateway = await startGatewayProcess(world)
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

async function environment(principal: string, wish?: TokenWish): Promise<Record<string, string>> {
  return { SALLYPORT_URL: gateway.access.url, SALLYPORT_TOKEN: await world.token(principal, wish) }
}

async function approvals(args: readonly string[], principal = 'bo', wish: TokenWish = DBA): Promise<Ended> {
  return await runProgram(process.execPath, [BIN, 'approvals', ...args], {
    env: await environment(principal, wish),
  })
}

test('what waited before the gateway was restarted is listed, for those who may see it', async () => {
  const listed = await approvals(['list', '--mine', '-o', 'json'])
  expect((JSON.parse(listed.stdout) as { id: string }[]).map(({ id }) => id)).toEqual(ids.toReversed())
  const table = await approvals(['list'])
  expect(table.stdout).toMatch(
    /apr_\w+ +pending, 1[45]m.* left +insight-agent for ana +shop +update public\.orders/,
  )
  expect((await approvals(['list'], 'omar', { groups: ['readers'] })).stderr).toContain('no requests')
  expect((await approvals(['list'], 'ana', { groups: ['readers'] })).stdout).toContain(ids[0])
})

test('show has the whole picture, and hides nothing', async () => {
  const { code, stdout } = await approvals(['show', ids[0] ?? ''])
  expect(code).toBe(0)
  for (const part of [
    'insight-agent for ana',
    '│ UPDATE orders SET status = $1 WHERE id = $2 -- ⟨U+202E⟩enod',
    '⚠ 1 invisible or reordering character',
    "$1 text = 'refunded'",
    'please refund (reported, not checked)',
    'writes are looked at by people (writes-need-people)',
    '1 of dba; 1 more',
    'none in the last 30 days',
  ]) {
    expect(stdout).toContain(part)
  }
  expect(stdout).not.toContain('\u202E')
})

test('exit codes: approved 0, decided already 9, own request 4, no reason 2, not there 2', async () => {
  const [id = ''] = ids
  expect((await approvals(['approve', id])).code).toBe(2)
  expect((await approvals(['approve', id, '--reason', 'x'], 'ana')).code).toBe(4)
  expect((await approvals(['approve', id, '--reason', 'x'], 'helper', { ...DBA, kind: 'agent' })).code).toBe(
    4,
  )
  const done = await approvals(['approve', id, '--reason', 'looked at it', '-o', 'json'])
  expect({ code: done.code, answer: JSON.parse(done.stdout) as unknown }).toMatchObject({
    code: 0,
    answer: { state: 'granted', decisions: [{ person: 'bo', surface: 'cli', reason: 'looked at it' }] },
  })
  const again = await approvals(['approve', id, '--reason', 'x', '-o', 'json'], 'cy')
  expect({ code: again.code, problem: JSON.parse(again.stderr) as unknown }).toMatchObject({
    code: 9,
    problem: { code: 'APPROVAL_DECIDED' },
  })
  expect((await approvals(['approve', 'apr_none', '--reason', 'x'])).code).toBe(2)
})

test('watching one: 5 while it is pending, 6 when it is denied', async () => {
  const [, id = ''] = ids
  const early = await approvals(['watch', id, '--timeout', '1s'], 'ana')
  expect({ code: early.code, stderr: early.stderr }).toMatchObject({
    code: 5,
    stderr: expect.stringContaining(id),
  })
  const watching = approvals(['watch', id], 'ana')
  expect((await approvals(['deny', id, '--reason', 'too wide'])).code).toBe(0)
  const { code, stderr } = await watching
  expect(code).toBe(6)
  expect(stderr).toContain('too wide')
})

test('one of two is not enough: 5, then 0', async () => {
  const [, , id = ''] = ids
  const first = await approvals(['approve', id, '--reason', 'fine'])
  expect({ code: first.code, stderr: first.stderr }).toEqual({
    code: 5,
    stderr: expect.stringContaining('1 more must approve'),
  })
  expect((await approvals(['approve', id, '--reason', 'fine'])).code).toBe(9)
  expect((await approvals(['approve', id, '--reason', 'fine'], 'cy')).code).toBe(0)
  expect((await approvals(['watch', id], 'ana')).stdout).toContain('granted')
})

test('watch prints what waits, then what happens', async () => {
  const [, , , id = ''] = ids
  const { child, ended } = startProgram(process.execPath, [BIN, 'approvals', 'watch', '-o', 'jsonl'], {
    env: await environment('bo', DBA),
  })
  const then: (readonly string[])[] = [
    ['approve', id, '--reason', 'all year', '--grant', 'pattern', '--for', '10m', '--any-literals'],
    ['revoke', id, '--reason', 'done'],
  ]
  const told: string[][] = []
  for await (const line of createInterface({ input: child.stdout ?? Readable.from([]) })) {
    const { type, approval } = JSON.parse(line) as { type: string; approval: { id: string } }
    told.push([type, approval.id])
    const next = then.shift()
    if (next === undefined) break
    expect((await approvals(next)).code).toBe(0)
  }
  child.kill('SIGINT')
  await ended
  expect(told).toEqual([
    ['pending', id],
    ['granted', id],
    ['withdrawn', id],
  ])
})
