import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { AuditEvent } from '../audit/ports.ts'
import type { JournalPosition } from './journal.ts'
import type { Stretch } from './read-stretch.ts'
import type { StartedSession } from './scan-journal.ts'
import type { Schema } from './schema.ts'
import { type AlarmEvent, takeAlarms } from './take-alarms.ts'

/** PostgreSQL takes 65,535 parameters in one statement; the widest row here has 14. */
const ROWS_AT_ONCE = 4_000

/** Writes what a stretch of the journal adds, and how far the journal is read with it, all or nothing. */
export async function writeStretch(
  db: Kysely<Schema>,
  stretch: Stretch,
  read: JournalPosition,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await insertStarts(transaction, stretch.starts)
    await insertEvents(transaction, stretch.sessions)
    await updateSessions(transaction, stretch.sessions)
    await insertAudit(transaction, stretch.audit)
    await transaction
      .insertInto('journal_positions')
      .values({ file: read.file, position: read.offset })
      .onConflict((conflict) => conflict.column('file').doUpdateSet({ position: read.offset }))
      .execute()
  })
}

async function insertStarts(db: Kysely<Schema>, starts: readonly StartedSession[]): Promise<void> {
  for (const some of slices(starts)) {
    const rows = some.map((session) => ({
      id: session.id,
      principal: JSON.stringify(session.principal),
      principal_id: plain(session.principal.id),
      target: plain(session.target),
      via: session.via,
      purpose: session.purpose === undefined ? null : plain(session.purpose),
      client_name: session.clientName === undefined ? null : plain(session.clientName),
      client_session: session.clientSession === undefined ? null : plain(session.clientSession),
      tool_use_id: session.toolUseId === undefined ? null : plain(session.toolUseId),
      source_ip: session.sourceIp,
      lease_id: session.leaseId ?? null,
      handle: session.handle ?? null,
      started_at: new Date(session.startedAt),
      last_event_at: new Date(session.startedAt),
    }))
    await db
      .insertInto('sessions')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

async function insertEvents(db: Kysely<Schema>, sessions: Stretch['sessions']): Promise<void> {
  for (const some of slices([...sessions])) {
    const rows = some.map(([id, { firstN, lastN, lines }]) => ({
      session_id: id,
      first_n: firstN,
      last_n: lastN,
      lines: Buffer.from(lines.buffer),
    }))
    await db
      .insertInto('session_events')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

async function updateSessions(db: Kysely<Schema>, sessions: Stretch['sessions']): Promise<void> {
  if (sessions.size === 0) return
  const all = [...sessions]
  const column = <T>(pick: (change: (typeof all)[number][1]) => T): T[] =>
    all.map(([, change]) => pick(change))
  await sql`
    UPDATE sallyport.sessions s SET
      statements = s.statements + u.statements, denied = s.denied + u.denied,
      rows = s.rows + u.rows, bytes = s.bytes + u.bytes, last_event_at = u.last_at,
      lease_id = coalesce(u.lease_id, s.lease_id), handle = coalesce(u.handle, s.handle),
      ended_at = coalesce(u.ended_at, s.ended_at), end_reason = coalesce(u.end_reason, s.end_reason)
    FROM unnest(
      ${all.map(([id]) => id)}::text[], ${column((c) => c.statements)}::bigint[],
      ${column((c) => c.denied)}::bigint[], ${column((c) => c.rows)}::bigint[],
      ${column((c) => c.bytes)}::bigint[], ${column((c) => new Date(c.lastAt))}::timestamptz[],
      ${column((c) => c.lease?.id ?? null)}::text[], ${column((c) => c.lease?.handle ?? null)}::text[],
      ${column((c) => (c.end === undefined ? null : new Date(c.end.at)))}::timestamptz[],
      ${column((c) => (c.end === undefined ? null : plain(c.end.reason)))}::text[]
    ) AS u (id, statements, denied, rows, bytes, last_at, lease_id, handle, ended_at, end_reason)
    WHERE s.id = u.id`.execute(db)
}

async function insertAudit(db: Kysely<Schema>, audit: Stretch['audit']): Promise<void> {
  const alarms: AlarmEvent[] = []
  for (const some of slices(audit)) {
    const rows = some.map(({ at, event }) => {
      const read: AuditEvent = JSON.parse(event)
      const { type, principal } = read
      if (type === 'access.alarm') alarms.push({ at: new Date(at), event: read })
      return {
        at: new Date(at),
        type: plain(type),
        principal: principal === undefined ? null : plain(principal),
        event,
      }
    })
    await db.insertInto('audit_events').values(rows).execute()
  }
  await takeAlarms(db, alarms)
}

/** PostgreSQL's text cannot hold U+0000, and a client may send one in any name it gives itself. */
function plain(text: string): string {
  return text.replaceAll('\0', '\uFFFD')
}

function* slices<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += ROWS_AT_ONCE) yield all.slice(at, at + ROWS_AT_ONCE)
}
