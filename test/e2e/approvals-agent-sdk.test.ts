import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomUUID } from 'node:crypto'
import {
  type HookCallback,
  query,
  type SDKMessage,
  type SDKUserMessage,
} from '@anthropic-ai/claude-agent-sdk'
import type { Client as ApiClient } from '@sallyport/api'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Block, startScriptedModel } from '../../examples/tour/scripted-model.ts'
import { APPROVAL_POLICIES } from '../harness/approval-policies.ts'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { until } from '../harness/until.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 })

/** The package for this platform brings the program that the SDK runs. */
function hasNativeProgram(): boolean {
  const { resolve } = createRequire(import.meta.url)
  return ['', '-musl'].some((libc) => {
    try {
      const manifest = resolve(
        `@anthropic-ai/claude-agent-sdk-${process.platform}-${process.arch}${libc}/package.json`,
      )
      return existsSync(join(dirname(manifest), process.platform === 'win32' ? 'claude.exe' : 'claude'))
    } catch {
      return false
    }
  })
}

const YES = { reason: 'looked at it' }
const AGENT = { actingFor: 'ana', groups: ['agents'] }

interface World {
  readonly gateway: TestGateway
  readonly dba: ApiClient
  notes(): Promise<string>
  /** The request that waits now. */
  waiting(): Promise<string>
}

async function startWorld(hold: string): Promise<World & AsyncDisposable> {
  const gateway = await startTestGateway({ policies: APPROVAL_POLICIES, settings: { approvals: { hold } } })
  const superuser = await gateway.target.client('shop')
  await superuser.query(`INSERT INTO notes VALUES (1, 'one'), (2, 'two'), (3, 'three')`)
  const dba = await gateway.access.api('bo', { groups: ['dba'] })
  return {
    gateway,
    dba,
    notes: async () =>
      (await superuser.query<{ id: number }>('SELECT id FROM notes ORDER BY id')).rows
        .map(({ id }) => id)
        .join(),
    waiting: () =>
      until('a request waits', async () => (await dba.approvals.list({ state: 'pending' })).approvals[0]?.id),
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  }
}

const remove = (call: string, id: number): Block => ({
  type: 'tool_use',
  id: `toolu_${call}`,
  name: 'mcp__sallyport__query',
  input: { target: 'shop', sql: 'DELETE FROM notes WHERE id = $1', params: [id], purpose: 'tidy up' },
})
const check = (call: string, id: string): Block => ({
  type: 'tool_use',
  id: `toolu_${call}`,
  name: 'mcp__sallyport__check_approval',
  input: { id },
})
const DONE: Block = { type: 'text', text: 'That is all.' }

interface Gets {
  readonly text: string
  readonly isError: boolean
}

interface Ran {
  readonly results: ReadonlyMap<string, Gets>
  readonly last: Extract<SDKMessage, { type: 'result' }>
}

/** One run of the unmodified SDK, with no tools but the gateway's. */
async function run(
  world: World,
  model: string,
  options: {
    readonly home: string
    readonly sessionId: string
    readonly resume?: boolean
    readonly hook?: HookCallback
    readonly onResult?: (call: string) => void
  },
): Promise<Ran> {
  const token = await world.gateway.token('insight-agent', AGENT)
  const { home, sessionId, resume = false, hook } = options
  const over = Promise.withResolvers<void>()
  /** Stays open: hooks answer over it. What is deferred goes on without another word of the user's. */
  async function* input(): AsyncGenerator<SDKUserMessage> {
    if (!resume) {
      yield {
        type: 'user',
        message: { role: 'user', content: 'Do what the script says.' },
        parent_tool_use_id: null,
        session_id: sessionId,
      }
    }
    await over.promise
  }
  const messages = query({
    prompt: input(),
    options: {
      cwd: home,
      ...(resume ? { resume: sessionId } : { sessionId }),
      model: 'claude-sonnet-4-5',
      tools: [],
      allowedTools: ['mcp__sallyport__*'],
      permissionMode: 'dontAsk',
      settingSources: [],
      strictMcpConfig: true,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: home,
        CLAUDE_CONFIG_DIR: `${home}/.claude`,
        ANTHROPIC_API_KEY: 'not-a-key',
        ANTHROPIC_BASE_URL: model,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      },
      mcpServersDelivery: 'initialize',
      mcpServers: {
        sallyport: {
          type: 'http',
          url: `${world.gateway.access.url}/mcp`,
          alwaysLoad: true,
          headers: { Authorization: `Bearer ${token}`, 'X-Agent-Session': sessionId },
        },
      },
      ...(hook === undefined
        ? {}
        : { hooks: { PreToolUse: [{ matcher: 'mcp__sallyport__check_approval', hooks: [hook] }] } }),
    },
  })
  const results = new Map<string, Gets>()
  for await (const message of messages) {
    if (message.type === 'user' && typeof message.message.content !== 'string') {
      for (const block of message.message.content) {
        if (block.type !== 'tool_result') continue
        results.set(block.tool_use_id.replace('toolu_', ''), {
          text: JSON.stringify(block.content),
          isError: block.is_error === true,
        })
        options.onResult?.(block.tool_use_id.replace('toolu_', ''))
      }
    }
    if (message.type === 'result') {
      over.resolve()
      return { results, last: message }
    }
  }
  throw new Error('the run ended without a result')
}

/** A script in which one turn is only known when the model is asked for it. */
function script(
  turns: readonly (readonly Block[] | (() => readonly Block[]))[],
): readonly (readonly Block[])[] {
  const blocks: (readonly Block[])[] = turns.map(() => [])
  for (const [at, turn] of turns.entries()) {
    Object.defineProperty(blocks, at, { get: () => (typeof turn === 'function' ? turn() : turn) })
  }
  return blocks
}

describe.skipIf(!hasNativeProgram())(
  "the unmodified Claude Agent SDK (skipped without the SDK's native program)",
  () => {
    let world: World & AsyncDisposable
    let home: string
    beforeAll(async () => {
      world = await startWorld('2s')
    })
    afterAll(() => world[Symbol.asyncDispose]())
    beforeEach(async () => {
      home = join(world.gateway.folder, `agent-${randomUUID()}`)
      await mkdir(home)
      const superuser = await world.gateway.target.client('shop')
      await superuser.query(`TRUNCATE notes; INSERT INTO notes VALUES (1, 'one'), (2, 'two'), (3, 'three')`)
    })

    test('gets its rows when a person approves while the call holds', async () => {
      await using model = await startScriptedModel([[remove('one', 1)], [DONE]])
      const running = run(world, model.url, { home, sessionId: randomUUID() })
      await world.dba.approvals.approve(await world.waiting(), YES)
      const { results } = await running
      expect(results.get('one')).toMatchObject({ isError: false, text: expect.stringContaining('permit') })
      expect(await world.notes()).toBe('2,3')
    })

    test('is told pending, waits with check_approval, and runs the identical statement', async () => {
      let asked = ''
      const turns = script([[remove('ask', 1)], () => [check('check', asked)], [remove('again', 1)], [DONE]])
      await using model = await startScriptedModel(turns)
      const answered = Promise.withResolvers<void>()
      const running = run(world, model.url, {
        home,
        sessionId: randomUUID(),
        onResult: () => answered.resolve(),
      })
      asked = await world.waiting()
      await answered.promise
      await world.dba.approvals.approve(asked, YES)
      const { results } = await running
      expect(results.get('ask')).toMatchObject({ isError: false, text: expect.stringContaining('pending') })
      expect(results.get('ask')?.text).toContain('check_approval')
      expect(results.get('check')?.text).toContain('Call query again with the identical statement')
      expect(results.get('again')?.text).toContain('permit')
      expect(await world.notes()).toBe('2,3')
    })

    test('is told who denied it and why', async () => {
      await using model = await startScriptedModel([[remove('one', 1)], [DONE]])
      const running = run(world, model.url, { home, sessionId: randomUUID() })
      await world.dba.approvals.deny(await world.waiting(), { reason: 'not on a friday' })
      const { results } = await running
      expect(results.get('one')).toMatchObject({
        isError: true,
        text: expect.stringContaining('not on a friday'),
      })
      expect(await world.notes()).toBe('1,2,3')
    })

    test('may end while people take hours: a hook defers, and the resumed run goes on from there', async () => {
      let asked = ''
      const turns = script([[remove('ask', 1)], () => [check('check', asked)], [remove('again', 1)], [DONE]])
      await using model = await startScriptedModel(turns)
      const sessionId = randomUUID()
      const stateOf = async (): Promise<string> => (await world.dba.approvals.get(asked)).state
      const hook: HookCallback = async () => ({
        hookSpecificOutput: {
          hookEventName: 'PreToolUse',
          permissionDecision: (await stateOf()) === 'pending' ? 'defer' : 'allow',
        },
      })
      const first = run(world, model.url, { home, sessionId, hook })
      asked = await world.waiting()
      const { last } = await first
      expect(last).toMatchObject({ deferred_tool_use: { id: 'toolu_check', input: { id: asked } } })
      expect(await world.notes()).toBe('1,2,3')

      await world.dba.approvals.approve(asked, YES)
      const second = await run(world, model.url, { home, sessionId, hook, resume: true })
      expect(second.results.get('check')?.text).toContain('granted')
      expect(second.results.get('again')?.text).toContain('permit')
      expect(await world.notes()).toBe('2,3')
    })
  },
)

test.skipIf(!hasNativeProgram() || process.env['SALLYPORT_LONG_TESTS'] === undefined)(
  'a call that holds for more than a minute is not given up (with SALLYPORT_LONG_TESTS)',
  async () => {
    await using world = await startWorld('100s')
    await using model = await startScriptedModel([[remove('one', 1)], [DONE]])
    const home = join(world.gateway.folder, 'agent')
    await mkdir(home)
    const running = run(world, model.url, { home, sessionId: randomUUID() })
    const id = await world.waiting()
    await sleep(75_000)
    await world.dba.approvals.approve(id, YES)
    expect((await running).results.get('one')?.text).toContain('permit')
    expect(await world.notes()).toBe('2,3')
  },
)
