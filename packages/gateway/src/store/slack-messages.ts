import { sql } from 'kysely'
import type { ApprovalState, SlackMessage, SlackMessageStore } from '../approvals/ports.ts'
import type { Store } from './database.ts'
import { reached } from './store-error.ts'

/** Which message in Slack shows which request, and in which state it shows it. */
export class StoredSlackMessages implements SlackMessageStore {
  readonly #store: Pick<Store, 'db'>

  constructor(store: Pick<Store, 'db'>) {
    this.#store = store
  }

  async put({ approvalId, channel, ts }: SlackMessage): Promise<void> {
    await reached(
      this.#store.db
        .insertInto('slack_messages')
        .values({ approval_id: approvalId, channel, ts, shows: 'pending' })
        .execute(),
    )
  }

  async of(approvalId: string): Promise<readonly SlackMessage[]> {
    const rows = await reached(
      this.#store.db
        .selectFrom('slack_messages')
        .select(['channel', 'ts'])
        .where('approval_id', '=', approvalId)
        .execute(),
    )
    return rows.map(({ channel, ts }) => ({ approvalId, channel, ts }))
  }

  async shows({ approvalId, channel }: SlackMessage, state: ApprovalState): Promise<void> {
    await reached(
      this.#store.db
        .updateTable('slack_messages')
        .set({ shows: state })
        .where('approval_id', '=', approvalId)
        .where('channel', '=', channel)
        .execute(),
    )
  }

  async behind(): Promise<readonly string[]> {
    const rows = await reached(
      this.#store.db
        .selectFrom('approvals')
        .leftJoin('slack_messages', 'slack_messages.approval_id', 'approvals.id')
        .select('approvals.id')
        .distinct()
        .where(
          sql<boolean>`slack_messages.shows <> approvals.state
            OR (slack_messages.shows IS NULL AND approvals.state = 'pending')`,
        )
        .limit(1000)
        .execute(),
    )
    return rows.map(({ id }) => id)
  }
}
