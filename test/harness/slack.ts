import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { until } from './until.ts'

export interface SlackCall {
  readonly method: string
  readonly token: string
  readonly args: Readonly<Record<string, unknown>>
}

export interface SlackUser {
  readonly id: string
  readonly email?: string
  readonly emailConfirmed?: boolean
  readonly more?: Readonly<Record<string, unknown>>
}

interface Block {
  readonly type: string
  readonly elements?: readonly {
    readonly type: string
    readonly action_id?: string
    readonly value?: string
    readonly url?: string
  }[]
}

/** A message as the last call left it. */
export interface PostedMessage {
  readonly channel: string
  readonly ts: string
  readonly text: string
  readonly blocks: readonly Block[]
}

const TEAM = 'T01TEAM'

/**
 * A stand-in for Slack, which cannot be reached from here: its Web API as far as it is used, and the server's side of
 * Socket Mode (docs.slack.dev, "Using Socket Mode": hello, envelopes, acknowledgements, disconnect).
 */
export class SlackStandIn implements AsyncDisposable {
  readonly calls: SlackCall[] = []
  readonly messages = new Map<string, PostedMessage>()
  readonly users = new Map<string, SlackUser>()
  /** Dialogs that are open, by their trigger. */
  readonly views = new Map<string, Readonly<Record<string, unknown>>>()
  /** What the app answered to each envelope. */
  readonly acknowledged = new Map<string, unknown>()
  /** Web API methods that answer with an error now. */
  readonly broken = new Set<string>()
  readonly #http = createServer((request, response) => void this.#answer(request, response))
  readonly #sockets = new WebSocketServer({ noServer: true })
  #connected: WebSocket | undefined
  #n = 0

  static async start(): Promise<SlackStandIn> {
    const slack = new SlackStandIn()
    slack.#http.on('upgrade', (request, socket, head) => {
      slack.#sockets.handleUpgrade(request, socket, head, (client) => {
        slack.#connected = client
        client.on('message', (data: Buffer) => slack.#acknowledge(data.toString('utf8')))
        client.on('close', () => {
          if (slack.#connected === client) slack.#connected = undefined
        })
        client.send(
          JSON.stringify({ type: 'hello', num_connections: 1, connection_info: { app_id: 'A01APP' } }),
        )
      })
    })
    await new Promise<void>((resolve) => slack.#http.listen(0, '127.0.0.1', resolve))
    return slack
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/api/`
  }

  get isConnected(): boolean {
    return this.#connected !== undefined
  }

  /** Ends the connection as Slack does when it moves an app to another server. */
  disconnect(): void {
    this.#connected?.send(JSON.stringify({ type: 'disconnect', reason: 'refresh_requested' }))
  }

  /** The message about a request, once it is there, in this channel and, if wanted, with this in it. */
  async message(approvalId: string, part = ''): Promise<PostedMessage> {
    return await until(`a message about ${approvalId} with "${part}"`, () =>
      [...this.messages.values()].find((one) => {
        const text = JSON.stringify([one.text, one.blocks])
        return text.includes(approvalId) && text.includes(part)
      }),
    )
  }

  /** Presses a button of a message. @returns the trigger, by which the dialog is found */
  async press(
    message: PostedMessage,
    actionId: string,
    user: string,
    forged: Readonly<Record<string, unknown>> & { readonly value?: string } = {},
  ): Promise<string> {
    const { value: forgedValue, ...body } = forged
    const elements = message.blocks.flatMap((block) => block.elements ?? [])
    const value = forgedValue ?? elements.find((one) => one.action_id === actionId)?.value
    const trigger = `trigger-${this.#n++}`
    await this.send('interactive', {
      type: 'block_actions',
      user: { id: user, username: user, team_id: TEAM },
      api_app_id: 'A01APP',
      team: { id: TEAM, domain: 'test' },
      channel: { id: message.channel, name: 'approvals' },
      container: {
        type: 'message',
        message_ts: message.ts,
        channel_id: message.channel,
        is_ephemeral: false,
      },
      message: { ts: message.ts, type: 'message' },
      trigger_id: trigger,
      response_url: 'http://127.0.0.1:1/',
      actions: [{ type: 'button', action_id: actionId, block_id: 'b', value, action_ts: '1.1' }],
      ...body,
    })
    return trigger
  }

  /** Sends a dialog back with a reason. @returns what the app answered: nothing when it is content */
  async submit(
    view: Readonly<Record<string, unknown>>,
    user: string,
    reason: string,
    forged: Readonly<Record<string, unknown>> = {},
  ): Promise<unknown> {
    return await this.send('interactive', {
      type: 'view_submission',
      team: { id: TEAM, domain: 'test' },
      user: { id: user, username: user, team_id: TEAM },
      api_app_id: 'A01APP',
      trigger_id: 'x',
      view: {
        ...view,
        id: 'V1',
        state: { values: { reason: { text: { type: 'plain_text_input', value: reason } } } },
      },
      ...forged,
    })
  }

  /** The dialog that was opened for a trigger. */
  async dialog(trigger: string): Promise<Readonly<Record<string, unknown>>> {
    return await until('a dialog', () => this.views.get(trigger))
  }

  /** What only this user was told. */
  async whispered(user: string): Promise<string> {
    return await until(`something said to ${user} alone`, () => {
      const call = this.calls.findLast(
        ({ method, args }) => method === 'chat.postEphemeral' && args['user'] === user,
      )
      return call === undefined ? undefined : textOf(call.args['text'])
    })
  }

  /** An envelope, as it comes over the connection. @returns what the app acknowledged it with */
  async send(type: string, payload: object, envelope = `envelope-${this.#n++}`): Promise<unknown> {
    const socket = await until('the app is connected', () => this.#connected)
    this.acknowledged.delete(envelope)
    socket.send(JSON.stringify({ type, envelope_id: envelope, payload, accepts_response_payload: true }))
    await until('the app acknowledges', () => this.acknowledged.has(envelope))
    return this.acknowledged.get(envelope)
  }

  #acknowledge(text: string): void {
    const { envelope_id: id, payload } = JSON.parse(text) as { envelope_id: string; payload?: unknown }
    this.acknowledged.set(id, payload)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const method = (request.url ?? '').replace('/api/', '')
    const args: Record<string, unknown> = (request.headers['content-type'] ?? '').includes('json')
      ? (JSON.parse(text || '{}') as Record<string, unknown>)
      : Object.fromEntries(new URLSearchParams(text))
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? textOf(args['token'])
    this.calls.push({ method, token, args })
    const answer = this.broken.has(method) ? { ok: false, error: 'internal_error' } : this.#api(method, args)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer))
  }

  #api(method: string, args: Readonly<Record<string, unknown>>): object {
    const blocks =
      typeof args['blocks'] === 'string' ? (JSON.parse(args['blocks']) as Block[]) : args['blocks']
    switch (method) {
      case 'apps.connections.open':
        return { ok: true, url: this.apiUrl.replace('http:', 'ws:').replace('/api/', '/link') }
      case 'auth.test':
        return { ok: true, team_id: TEAM, user_id: 'U0BOT', bot_id: 'B0BOT' }
      case 'chat.postMessage': {
        const ts = `1700000000.${String(this.#n++).padStart(6, '0')}`
        this.#keep(textOf(args['channel']), ts, args, blocks as Block[])
        return { ok: true, channel: args['channel'], ts }
      }
      case 'chat.update':
        this.#keep(textOf(args['channel']), textOf(args['ts']), args, blocks as Block[])
        return { ok: true, channel: args['channel'], ts: args['ts'] }
      case 'chat.postEphemeral':
        return { ok: true, message_ts: '1.1' }
      case 'users.info': {
        const user = this.users.get(textOf(args['user']))
        if (user === undefined) return { ok: false, error: 'user_not_found' }
        const profile = { email: user.email }
        const confirmed = user.emailConfirmed ?? false
        return {
          ok: true,
          user: { id: user.id, team_id: TEAM, is_email_confirmed: confirmed, profile, ...user.more },
        }
      }
      case 'views.open': {
        const view = typeof args['view'] === 'string' ? (JSON.parse(args['view']) as object) : args['view']
        this.views.set(textOf(args['trigger_id']), view as Record<string, unknown>)
        return { ok: true, view }
      }
      default:
        return { ok: false, error: 'unknown_method' }
    }
  }

  #keep(
    channel: string,
    ts: string,
    args: Readonly<Record<string, unknown>>,
    blocks: readonly Block[],
  ): void {
    this.messages.set(`${channel} ${ts}`, { channel, ts, text: textOf(args['text']), blocks })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate()
    this.#sockets.close()
    this.#http.closeAllConnections()
    await new Promise((resolve) => this.#http.close(resolve))
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
