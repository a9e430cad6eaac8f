import { randomUUID } from 'node:crypto'
import { query } from '@anthropic-ai/claude-agent-sdk'

/** What an agent did, in order. */
export type AgentEvent =
  | { readonly kind: 'says'; readonly text: string }
  | {
      readonly kind: 'calls'
      readonly id: string
      readonly tool: string
      readonly input: Record<string, unknown>
    }
  | { readonly kind: 'gets'; readonly id: string; readonly text: string; readonly isError: boolean }
  | { readonly kind: 'done'; readonly text: string }

export interface AgentRun {
  readonly prompt: string
  /** The gateway's MCP endpoint, and the agent's token for it. */
  readonly mcpUrl: string
  readonly token: string
  /** A folder of its own for everything that the agent keeps. */
  readonly home: string
  readonly path: string
  /** Where its model is, and the key for it. The API's own address when `baseUrl` is left out. */
  readonly model: { readonly baseUrl?: string; readonly apiKey: string; readonly name: string }
}

/**
 * Runs the unmodified Claude Agent SDK against the gateway. It has no tools but the gateway's, and nothing of the
 * surrounding environment: neither a database password nor the person's own settings.
 */
export async function* runAgent(run: AgentRun): AsyncGenerator<AgentEvent> {
  const sessionId = randomUUID()
  const messages = query({
    prompt: run.prompt,
    options: {
      cwd: run.home,
      sessionId,
      model: run.model.name,
      tools: [],
      allowedTools: ['mcp__sallyport__*'],
      permissionMode: 'dontAsk',
      settingSources: [],
      strictMcpConfig: true,
      persistSession: false,
      env: {
        PATH: run.path,
        HOME: run.home,
        CLAUDE_CONFIG_DIR: `${run.home}/.claude`,
        ANTHROPIC_API_KEY: run.model.apiKey,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        ...(run.model.baseUrl === undefined ? {} : { ANTHROPIC_BASE_URL: run.model.baseUrl }),
      },
      // On the command line, the agent's own shell could read the token (`/proc/<pid>/cmdline`).
      mcpServersDelivery: 'initialize',
      mcpServers: {
        sallyport: {
          type: 'http',
          url: run.mcpUrl,
          alwaysLoad: true,
          headers: { Authorization: `Bearer ${run.token}`, 'X-Agent-Session': sessionId },
        },
      },
    },
  })
  for await (const message of messages) {
    if (message.type === 'result') {
      yield { kind: 'done', text: message.subtype === 'success' ? message.result : message.subtype }
      continue
    }
    if (message.type !== 'assistant' && message.type !== 'user') continue
    const { content } = message.message
    if (typeof content === 'string') continue
    for (const block of content) {
      if (block.type === 'text' && message.type === 'assistant') yield { kind: 'says', text: block.text }
      else if (block.type === 'tool_use') {
        yield { kind: 'calls', id: block.id, tool: block.name, input: block.input as Record<string, unknown> }
      } else if (block.type === 'tool_result') {
        yield {
          kind: 'gets',
          id: block.tool_use_id,
          text: textOf(block.content),
          isError: block.is_error === true,
        }
      }
    }
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: { readonly text?: unknown }) => (typeof part.text === 'string' ? part.text : ''))
    .join('\n')
}
