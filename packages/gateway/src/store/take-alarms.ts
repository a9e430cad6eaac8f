import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { AlarmedStatement } from '../approvals/ports.ts'
import type { AuditEvent } from '../audit/ports.ts'
import type { Schema } from './schema.ts'

/** Different statements that one review shows; how often it was in all is counted on. */
const MAX_STATEMENTS = 20

export interface AlarmEvent {
  readonly at: Date
  readonly event: AuditEvent
}

interface Fresh {
  readonly alarm: NonNullable<AuditEvent['alarm']>
  readonly rule: NonNullable<AuditEvent['alarm']>['rules'][number]
  readonly event: AuditEvent
  readonly firstAt: Date
  lastAt: Date
  alarms: number
  statements: readonly AlarmedStatement[]
}

/**
 * Makes entries to be reviewed of alarms, in the transaction that takes them in: each alarm counts once, whatever crashes.
 * One that is closed is opened again by a new alarm, because nobody has looked at that.
 */
export async function takeAlarms(db: Kysely<Schema>, events: readonly AlarmEvent[]): Promise<void> {
  for (const [id, fresh] of byReview(events)) {
    const known = await db
      .selectFrom('reviews')
      .select('statements')
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst()
    const statements = JSON.stringify(fresh.statements.reduce(withStatement, known?.statements ?? []))
    if (known === undefined) {
      await db
        .insertInto('reviews')
        .values(newRow(id, fresh, statements))
        .execute()
      continue
    }
    await db
      .updateTable('reviews')
      .set({
        state: 'open',
        alarms: sql`alarms + ${fresh.alarms}`,
        last_at: sql`greatest(last_at, ${fresh.lastAt})`,
        statements,
      })
      .where('id', '=', id)
      .execute()
  }
}

function byReview(events: readonly AlarmEvent[]): ReadonlyMap<string, Fresh> {
  const found = new Map<string, Fresh>()
  for (const { at, event } of events) {
    const { alarm } = event
    if (alarm === undefined) continue
    const { statement, operations } = alarm
    const one: AlarmedStatement = {
      ...(statement === undefined ? {} : { text: statement.text }),
      cut: statement?.cut ?? false,
      operations,
      count: 1,
    }
    for (const rule of alarm.rules) {
      const fresh: Fresh = found.get(rule.review) ?? {
        alarm,
        rule,
        event,
        firstAt: at,
        lastAt: at,
        alarms: 0,
        statements: [],
      }
      fresh.alarms += 1
      fresh.lastAt = at
      fresh.statements = withStatement(fresh.statements, one)
      found.set(rule.review, fresh)
    }
  }
  return found
}

function newRow(id: string, { alarm, rule, event, firstAt, lastAt, alarms }: Fresh, statements: string) {
  const { review: _, ...kept } = rule
  return {
    id,
    session_id: event.sessionId ?? '',
    target: event.target ?? '',
    rule: JSON.stringify(kept),
    principal: JSON.stringify(alarm.principal),
    via: alarm.via,
    source_ip: alarm.sourceIp,
    // PostgreSQL's text cannot hold U+0000, and a client may say one.
    purpose: alarm.purpose?.replaceAll('\0', '\uFFFD') ?? null,
    alarms,
    first_at: firstAt,
    last_at: lastAt,
    statements,
  }
}

/** The same statement again is counted. */
function withStatement(
  statements: readonly AlarmedStatement[],
  one: AlarmedStatement,
): readonly AlarmedStatement[] {
  const at = statements.findIndex(
    ({ text, operations }) => text === one.text && String(operations) === String(one.operations),
  )
  if (at === -1) return statements.length < MAX_STATEMENTS ? [...statements, one] : statements
  return statements.map((known, i) => (i === at ? { ...known, count: known.count + one.count } : known))
}
