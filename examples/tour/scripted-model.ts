import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One block of a model's answer, as the Messages API has it. */
export type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: object }

export interface ScriptedModel extends AsyncDisposable {
  /** For ANTHROPIC_BASE_URL. */
  readonly url: string
}

/** A conversation of a few turns; the agent's requests are far smaller. */
const MAX_REQUEST = 8 * 1024 * 1024

/**
 * Stands in for the Anthropic API: answers each turn of an agent with the next of `turns`, over the same streaming
 * protocol (Messages API, "Streaming messages"). The agent in front of it is the real one; only its thoughts are written
 * down beforehand.
 */
export async function startScriptedModel(turns: readonly (readonly Block[])[]): Promise<ScriptedModel> {
  const server = createServer((request, response) => {
    answer(request, response, turns).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface MessagesRequest {
  readonly model?: string
  readonly stream?: boolean
  readonly tools?: readonly unknown[]
  readonly messages?: readonly { readonly role: string }[]
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  turns: readonly (readonly Block[])[],
): Promise<void> {
  const body = await readBody(request)
  const path = request.url ?? ''
  if (!path.startsWith('/v1/messages') || path.includes('count_tokens')) {
    response.setHeader('content-type', 'application/json')
    response.end(path.includes('count_tokens') ? '{"input_tokens":1}' : '{}')
    return
  }
  const asked = JSON.parse(body) as MessagesRequest
  const turn = asked.messages?.filter((message) => message.role === 'assistant').length ?? 0
  // The SDK also asks for titles and the like, without tools: those are not turns of the conversation.
  const blocks: readonly Block[] = asked.tools?.length
    ? (turns[Math.min(turn, turns.length - 1)] ?? [])
    : [{ type: 'text', text: 'ok' }]
  if (asked.stream) streamMessage(response, asked.model, blocks)
  else {
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({ ...message(asked.model), content: blocks, stop_reason: stopReason(blocks) }),
    )
  }
}

function streamMessage(response: ServerResponse, model: string | undefined, blocks: readonly Block[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (type: string, data: object): void => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`)
  }
  send('message_start', { message: message(model) })
  for (const [index, block] of blocks.entries()) {
    const isTool = block.type === 'tool_use'
    send('content_block_start', {
      index,
      content_block: isTool ? { ...block, input: {} } : { type: 'text', text: '' },
    })
    const delta = isTool
      ? { type: 'input_json_delta', partial_json: JSON.stringify(block.input) }
      : { type: 'text_delta', text: block.text }
    send('content_block_delta', { index, delta })
    send('content_block_stop', { index })
  }
  send('message_delta', {
    delta: { stop_reason: stopReason(blocks), stop_sequence: null },
    usage: { output_tokens: 1 },
  })
  send('message_stop', {})
  response.end()
}

function message(model: string | undefined): object {
  return {
    id: `msg_${randomUUID()}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  }
}

function stopReason(blocks: readonly Block[]): 'tool_use' | 'end_turn' {
  return blocks.some((block) => block.type === 'tool_use') ? 'tool_use' : 'end_turn'
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = ''
  request.setEncoding('utf8')
  for await (const chunk of request) {
    body += chunk as string
    if (body.length > MAX_REQUEST) throw new Error('the request is too large')
  }
  return body
}
