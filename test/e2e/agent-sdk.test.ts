import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { type AgentEvent, runAgent } from '../../examples/tour/run-agent.ts'
import { type Block, startScriptedModel } from '../../examples/tour/scripted-model.ts'
import { startTestGateway } from '../harness/gateway.ts'
import { until } from '../harness/until.ts'

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

const query = (id: string, sql: string, more: object = {}): Block => ({
  type: 'tool_use',
  id: `toolu_${id}`,
  name: 'mcp__sallyport__query',
  input: { target: 'shop', sql, purpose: 'the agent test', ...more },
})

const TURNS: readonly (readonly Block[])[] = [
  [{ type: 'tool_use', id: 'toolu_targets', name: 'mcp__sallyport__list_targets', input: {} }],
  [query('read', 'SELECT name, email FROM customers WHERE id = $1', { params: [7] })],
  [query('long', 'SELECT id FROM customers ORDER BY id', { maxRows: 5 })],
  [query('drop', 'DROP TABLE customers')],
  [query('slow', 'SELECT pg_sleep(3)::text AS slept, 42 AS answer')],
  // Two at once, as models send them.
  [query('one', 'SELECT 1 AS n'), query('two', 'SELECT 2 AS n')],
  [{ type: 'text', text: 'That is all.' }],
]

test.skipIf(!hasNativeProgram())(
  "the unmodified Claude Agent SDK works through the gateway (skipped without the SDK's native program)",
  async () => {
    await using world = await startTestGateway()
    await using model = await startScriptedModel(TURNS)
    const home = join(world.folder, 'agent')
    await mkdir(home)
    const wish = { actingFor: 'ana', groups: ['readers', 'callers'] }
    const run = runAgent({
      prompt: 'Do what the script says.',
      mcpUrl: `${world.access.url}/mcp`,
      token: await world.token('insight-agent', wish),
      home,
      path: process.env['PATH'] ?? '',
      model: { baseUrl: model.url, apiKey: 'not-a-key', name: 'claude-sonnet-4-5' },
    })
    const events: AgentEvent[] = []
    for await (const event of run) events.push(event)
    const results = new Map(
      events.flatMap((event) =>
        event.kind === 'gets' ? [[event.id.replace('toolu_', ''), event] as const] : [],
      ),
    )
    const textOf = (id: string): string => results.get(id)?.text ?? ''

    expect(events.at(-1)).toEqual({ kind: 'done', text: 'That is all.' })
    expect(textOf('targets')).toContain('shop')
    expect(textOf('read')).toContain('c7@example.com')
    // What the SDK hands to the model is the structured result.
    expect(textOf('long')).toMatch(/"truncated":\s*true|TRUNCATED/)
    expect(results.get('drop')?.isError).toBe(true)
    expect(textOf('drop')).toContain('structure-is-fixed')
    expect(results.get('slow')?.isError).toBe(false)
    expect(textOf('slow')).toContain('42')
    expect(results.get('one')?.isError).toBe(false)
    expect(results.get('two')?.isError).toBe(false)

    const api = await world.access.api('insight-agent', wish)
    const { sessions } = await api.sessions.list()
    expect(sessions).toHaveLength(6)
    expect(
      sessions.every(({ via, purpose, endedAt }) => via === 'mcp' && purpose === 'the agent test' && endedAt),
    ).toBe(true)
    expect(sessions.map(({ denied }) => denied).toSorted((a, b) => a - b)).toEqual([0, 0, 0, 0, 0, 1])
    const handles = sessions.map(({ handle }) => handle)
    await until('no role of its sessions is left', async () => {
      const left = await world.roles('login')
      return !left.some((role) => handles.includes(role))
    })
    const superuser = await world.target.client('shop')
    expect((await superuser.query('SELECT count(*)::int AS n FROM customers')).rows).toEqual([{ n: 1000 }])
    expect(world.errors).toEqual([])
  },
  120_000,
)
