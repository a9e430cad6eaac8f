import { webApi } from '@slack/bolt'
import type { Secret } from '../../access/secret.ts'
import type { AlarmMessage, AlarmMessageStore, ApprovalLog, Review } from '../ports.ts'
import { alarmMessage } from './alarm-message.ts'

/** Several alarms at once become one update. Slack takes about one a second in a channel. */
const SETTLE_MS = 1_000
const RETRY_MS = 15_000
/** For one call of Slack's Web API. */
const TIMEOUT_MS = 10_000

/**
 * Alarms in Slack: one message per review and channel of its reviewers, brought up to date as there are more, and when
 * people have said what they think. Which message shows what is stored, so that nothing is left out by a Slack that was away
 * or a gateway that was killed.
 */
export class SlackAlarms implements AsyncDisposable {
  readonly #options: {
    readonly channels: Readonly<Record<string, string>>
    readonly defaultChannel: string | undefined
    readonly messages: AlarmMessageStore
    readonly log: ApprovalLog
  }
  readonly #client: webApi.WebClient
  #settling: NodeJS.Timeout | undefined
  #retrying: NodeJS.Timeout | undefined
  #pass: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: {
    readonly botToken: Secret
    readonly apiUrl: string
    /** By group of reviewers. */
    readonly channels: Readonly<Record<string, string>>
    readonly defaultChannel: string | undefined
    readonly messages: AlarmMessageStore
    readonly log: ApprovalLog
  }) {
    this.#options = options
    this.#client = new webApi.WebClient(options.botToken.reveal(), {
      slackApiUrl: options.apiUrl,
      retryConfig: { retries: 3 },
      timeout: TIMEOUT_MS,
      allowAbsoluteUrls: false,
      // Its own log has whole payloads: people's words and our token.
      logLevel: webApi.LogLevel.ERROR,
    })
    this.wake()
  }

  /** Something was alarmed or reviewed: it is shown within seconds. */
  wake(): void {
    if (this.#stopped || this.#settling !== undefined) return
    this.#settling = setTimeout(() => {
      this.#settling = undefined
      this.#pass = this.#pass.then(() => this.#bringUpToDate())
    }, SETTLE_MS)
    this.#settling.unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#settling)
    clearTimeout(this.#retrying)
    await this.#pass
  }

  /** Never rejects. What fails for one review does not keep others from being shown. */
  async #bringUpToDate(): Promise<void> {
    const failed = (error: unknown): void => {
      this.#options.log.warn({ err: error }, 'Slack: an alarm is not shown as it is; it is tried again')
      if (this.#stopped) return
      clearTimeout(this.#retrying)
      this.#retrying = setTimeout(() => this.wake(), RETRY_MS)
      this.#retrying.unref()
    }
    try {
      for (const { review, posted } of await this.#options.messages.behind()) {
        if (this.#stopped) return
        await this.#show(review, posted).catch(failed)
      }
    } catch (error) {
      failed(error)
    }
  }

  async #show(review: Review, posted: readonly AlarmMessage[]): Promise<void> {
    const { messages } = this.#options
    const content = alarmMessage(review)
    for (const message of posted) {
      await this.#client.chat.update({ channel: message.channel, ts: message.ts, ...content })
      await messages.shows(review, message)
    }
    for (const channel of this.#channelsOf(review)) {
      if (posted.some((message) => message.channel === channel)) continue
      const answer: object = await this.#client.apiCall('chat.postMessage', {
        channel,
        ...content,
        unfurl_links: false,
        unfurl_media: false,
      })
      if ('ts' in answer && typeof answer.ts === 'string') {
        await messages.shows(review, { channel, ts: answer.ts })
      }
    }
    await messages.isShown(review)
  }

  #channelsOf({ rule }: Review): readonly string[] {
    const { channels, defaultChannel } = this.#options
    const found =
      rule.reviewers.length === 0
        ? [defaultChannel]
        : rule.reviewers.map((group) => (Object.hasOwn(channels, group) ? channels[group] : defaultChannel))
    return [...new Set(found.filter((channel) => channel !== undefined))]
  }
}
