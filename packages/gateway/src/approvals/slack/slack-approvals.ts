import { randomBytes } from 'node:crypto'
import { App, LogLevel, SocketModeReceiver } from '@slack/bolt'
import type { BlockAction, ButtonAction, Logger, ViewSubmitAction } from '@slack/bolt'
import { LRUCache } from 'lru-cache'
import { SallyportError } from '../../access/errors.ts'
import type { Principal } from '../../access/model.ts'
import type { Secret } from '../../access/secret.ts'
import type { Approvals } from '../approvals.ts'
import { whyNot } from '../may-decide.ts'
import type { Approval, ApprovalLog, PeopleStore, SlackMessageStore } from '../ports.ts'
import { keepConnected } from './connection.ts'
import { SlackLinks } from './linked-person.ts'
import { APPROVE, approvalMessage, type ButtonValue, DENY, escaped, isShownWhole, OPEN } from './message.ts'
import { DECIDE, REASON_BLOCK, REASON_INPUT, reasonModal } from './modal.ts'

/** How long somebody may think about the reason. */
const DIALOG_MS = 15 * 60 * 1000
/** For one call of Slack's Web API. */
const TIMEOUT_MS = 10_000
/** Dialogs that are open at once. */
const MAX_DIALOGS = 1000

export interface SlackSettings {
  readonly botToken: Secret
  readonly appToken: Secret
  readonly apiUrl: string
  readonly channels: Readonly<Record<string, string>>
  readonly defaultChannel: string | undefined
  readonly users: readonly { readonly slack: string; readonly issuer: string; readonly subject: string }[]
  readonly loginWithinMs: number
}

/** A dialog that we opened: for one user, about one request. It counts once. */
interface Dialog {
  readonly user: string
  readonly id: string
  readonly digest: string
  readonly verdict: 'approve' | 'deny'
}

/**
 * Approvals in Slack, over a connection that we open (Socket Mode): there is no address to which anybody could send a
 * button's press. A press counts only on a message that we posted for that request, by a user who is linked to a person,
 * who then is asked by the same rules as everywhere.
 */
export class SlackApprovals implements AsyncDisposable {
  readonly #options: {
    readonly settings: SlackSettings
    readonly publicUrl: string
    readonly approvals: Approvals
    readonly people: PeopleStore
    readonly messages: SlackMessageStore
    readonly log: ApprovalLog
    readonly now: () => number
  }
  readonly #app: App
  readonly #links: SlackLinks
  readonly #dialogs = new LRUCache<string, Dialog>({ max: MAX_DIALOGS, ttl: DIALOG_MS })
  /** What is being done to the messages of a request, so that updates come in order. */
  readonly #work = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()
  readonly #connection: Promise<void>
  readonly #subscription: Disposable
  #team: string | undefined

  /** Connects in the background: a Slack that is away does not keep the gateway from starting. */
  constructor(options: {
    readonly settings: SlackSettings
    readonly publicUrl: string
    readonly approvals: Approvals
    readonly people: PeopleStore
    readonly messages: SlackMessageStore
    readonly log: ApprovalLog
    readonly now: () => number
  }) {
    this.#options = options
    const { settings, log } = options
    const clientOptions = {
      slackApiUrl: settings.apiUrl,
      retryConfig: { retries: 3 },
      timeout: TIMEOUT_MS,
      allowAbsoluteUrls: false,
    }
    const logger = quietLogger(log)
    const receiver = new SocketModeReceiver({
      appToken: settings.appToken.reveal(),
      autoReconnectEnabled: false,
      installerOptions: { clientOptions },
      logger,
    })
    this.#app = new App({
      receiver,
      clientOptions,
      logger,
      ignoreSelf: false,
      authorize: async () => ({ botToken: settings.botToken.reveal() }),
    })
    this.#app.error(async (error) => log.error({ err: error }, 'Slack: an interaction failed'))
    this.#app.action<BlockAction<ButtonAction>>(APPROVE, async ({ ack, body, action }) => {
      await ack()
      await this.#pressed(body, action, 'approve')
    })
    this.#app.action<BlockAction<ButtonAction>>(DENY, async ({ ack, body, action }) => {
      await ack()
      await this.#pressed(body, action, 'deny')
    })
    // A link: Slack tells us all the same that it was followed.
    this.#app.action(OPEN, async ({ ack }) => await ack())
    this.#app.view<ViewSubmitAction>(DECIDE, async ({ ack, body }) => {
      const refusal = await this.#submitted(body)
      if (refusal === undefined) await ack()
      else await ack({ response_action: 'errors', errors: { [REASON_BLOCK]: refusal } })
    })
    this.#links = new SlackLinks({
      users: settings.users,
      loginWithinMs: settings.loginWithinMs,
      people: options.people,
      profile: (user) => this.#profile(user),
      now: options.now,
    })
    this.#subscription = options.approvals.feed.subscribe(({ approval }) => this.#show(approval.id))
    this.#connection = keepConnected(
      {
        start: () => receiver.start(),
        stop: () => receiver.stop(),
        onceGone: (gone) => {
          receiver.client.once('disconnected', gone)
          return () => void receiver.client.off('disconnected', gone)
        },
      },
      () => void this.#connected(),
      log,
      this.#stop.signal,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscription[Symbol.dispose]()
    this.#stop.abort()
    await this.#connection
    await Promise.all(this.#work.values())
  }

  /** What happened while there was no connection, or no gateway, is shown now. */
  async #connected(): Promise<void> {
    try {
      const { team_id: team } = await this.#client.auth.test(this.#token())
      this.#team = team
      for (const id of await this.#options.messages.behind()) this.#show(id)
    } catch (error) {
      this.#options.log.warn({ err: error }, 'Slack: what happened meanwhile is not shown yet')
    }
  }

  get #client(): App['client'] {
    return this.#app.client
  }

  /** Brings the messages of a request up to date, after what is already being done to them. */
  #show(id: string): void {
    const before = this.#work.get(id) ?? Promise.resolve()
    const work: Promise<void> = before
      .then(() => this.#bringUpToDate(id))
      .catch((error: unknown) =>
        this.#options.log.warn({ err: error, approval: id }, 'Slack: a request is not shown as it is'),
      )
      .finally(() => {
        if (this.#work.get(id) === work) this.#work.delete(id)
      })
    this.#work.set(id, work)
  }

  async #bringUpToDate(id: string): Promise<void> {
    if (this.#stop.signal.aborted) return
    const { approvals, messages, publicUrl } = this.#options
    const approval = await approvals.get(id)
    if (approval === undefined) return
    const content = approvalMessage(approval, publicUrl)
    const posted = await messages.of(id)
    for (const message of posted) {
      await this.#client.chat.update({
        ...this.#token(),
        channel: message.channel,
        ts: message.ts,
        ...content,
      })
      await messages.shows(message, approval.state)
    }
    if (approval.state !== 'pending') return
    for (const channel of this.#channelsOf(approval)) {
      if (posted.some((message) => message.channel === channel)) continue
      const answer: object = await this.#client.apiCall('chat.postMessage', {
        ...this.#token(),
        channel,
        ...content,
        unfurl_links: false,
        unfurl_media: false,
      })
      if (!('ts' in answer) || typeof answer.ts !== 'string') continue
      await messages.put({ approvalId: id, channel, ts: answer.ts })
    }
  }

  #channelsOf({ need }: Approval): readonly string[] {
    const { channels, defaultChannel } = this.#options.settings
    const found = need.rules
      .flatMap((rule) => rule.approvers)
      .map((group) => (Object.hasOwn(channels, group) ? channels[group] : defaultChannel))
    return [...new Set(found.filter((channel) => channel !== undefined))]
  }

  /** A button was pressed: if its user may decide, a dialog asks for the reason. */
  async #pressed(
    body: BlockAction<ButtonAction>,
    action: ButtonAction,
    verdict: 'approve' | 'deny',
  ): Promise<void> {
    const user = body.user.id
    const channel = body.channel?.id ?? body.container.channel_id
    const ts = body.message?.ts ?? body.container.message_ts
    const refuse = async (why: string): Promise<void> => {
      if (typeof channel !== 'string') return
      const text = escaped(why)
      await this.#client.chat.postEphemeral({ ...this.#token(), channel, user, text })
    }
    const value = buttonValue(action.value)
    if (value === undefined || !this.#isOurTeam(body.team?.id ?? body.user.team_id)) return
    const messages = await this.#options.messages.of(value.id)
    // Only where we asked, and only what was shown there: another message could show something else.
    if (!messages.some((one) => one.channel === channel && one.ts === ts)) return
    const approval = await this.#options.approvals.get(value.id)
    if (approval === undefined || approval.digest !== value.digest || !isShownWhole(approval)) return
    if (approval.state !== 'pending') return await refuse(`${approval.id} is ${approval.state} already`)
    const person = await this.#links.personBehind(user)
    if (typeof person === 'string') return await refuse(person)
    const why = whyNot(approval, person)
    if (why !== undefined) return await refuse(why)
    const token = randomBytes(16).toString('hex')
    this.#dialogs.set(token, { user, id: approval.id, digest: approval.digest, verdict })
    const view = reasonModal(approval, verdict, token)
    await this.#client.views.open({ ...this.#token(), trigger_id: body.trigger_id, view })
  }

  /** The dialog came back. @returns why nothing was decided */
  async #submitted(body: ViewSubmitAction): Promise<string | undefined> {
    const token = body.view.private_metadata
    const dialog = this.#dialogs.get(token)
    if (
      dialog === undefined ||
      dialog.user !== body.user.id ||
      !this.#isOurTeam(body.team?.id ?? body.user.team_id)
    ) {
      return 'This dialog is no longer open. Press the button again.'
    }
    const reason = body.view.state.values[REASON_BLOCK]?.[REASON_INPUT]?.value?.trim() ?? ''
    if (reason === '') return 'A decision needs a reason.'
    // Before anything is waited for: the same dialog sent twice is decided once.
    this.#dialogs.delete(token)
    try {
      const person = await this.#links.personBehind(body.user.id)
      if (typeof person === 'string') return person
      await this.#decide(dialog, person, reason)
      return undefined
    } catch (error) {
      return SallyportError.from(error).message
    }
  }

  async #decide({ id, digest, verdict }: Dialog, person: Principal, reason: string): Promise<void> {
    const { approvals } = this.#options
    if ((await approvals.get(id))?.digest !== digest) {
      throw new SallyportError('APPROVAL_CHANGED', 'the request is another one now')
    }
    await approvals.decide(id, person, { verdict, reason, surface: 'slack' })
  }

  #isOurTeam(team: string | undefined): boolean {
    return this.#team !== undefined && team === this.#team
  }

  async #profile(user: string): ReturnType<ConstructorParameters<typeof SlackLinks>[0]['profile']> {
    const { user: found } = await this.#client.users.info({ ...this.#token(), user })
    if (found?.id !== user) return undefined
    const outsider =
      found.is_bot === true || found.is_restricted === true || found.is_ultra_restricted === true
    return {
      email: found.profile?.email,
      emailConfirmed: found.is_email_confirmed === true,
      isMember: !outsider && found.deleted !== true && this.#isOurTeam(found.team_id),
    }
  }

  #token(): { readonly token: string } {
    return { token: this.#options.settings.botToken.reveal() }
  }
}

function buttonValue(text: string | undefined): ButtonValue | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    if (typeof value !== 'object' || value === null || !('id' in value) || !('digest' in value))
      return undefined
    const { id, digest } = value
    return typeof id === 'string' && typeof digest === 'string' ? { id, digest } : undefined
  } catch {
    return undefined
  }
}

/** Slack's libraries log whole payloads at `debug`: people's words and our tokens. Only what fails is of interest. */
function quietLogger(log: ApprovalLog): Logger {
  const said = (messages: readonly unknown[]): string => messages.map(String).join(' ').slice(0, 500)
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (...messages) => log.warn({ slack: said(messages) }, 'Slack'),
    error: (...messages) => log.warn({ slack: said(messages) }, 'Slack'),
    setLevel: () => undefined,
    getLevel: () => LogLevel.WARN,
    setName: () => undefined,
  }
}
