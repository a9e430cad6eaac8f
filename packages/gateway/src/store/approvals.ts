import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Kysely, Selectable } from 'kysely'
import type {
  Approval,
  ApprovalDecision,
  ApprovalFilter,
  ApprovalStore,
  SimilarRequests,
} from '../approvals/ports.ts'
import type { Store } from './database.ts'
import type { KeptRequest, Schema } from './schema.ts'
import { reached } from './store-error.ts'

type Row = Selectable<Schema['approvals']>

/** Requests in the store, over durable connections: what people decided must survive a crash of the server too. */
export class StoredApprovals implements ApprovalStore {
  readonly #store: Pick<Store, 'db'>

  constructor(store: Pick<Store, 'db'>) {
    this.#store = store
  }

  put(approval: Approval): Promise<Approval> {
    return reached(this.#put(approval))
  }

  async #put(approval: Approval): Promise<Approval> {
    const { db } = this.#store
    // Twice at most: the identical one may be decided between being met and being read.
    for (let attempt = 0; attempt < 3; attempt++) {
      const inserted = await db
        .insertInto('approvals')
        .values(newRow(approval))
        .onConflict((conflict) =>
          // Written out: a partial index is not found by parameters.
          conflict.column('digest').where(sql<boolean>`durable AND state = 'pending'`).doNothing(),
        )
        .executeTakeFirst()
      if (inserted.numInsertedOrUpdatedRows === 1n) return approval
      const other = await db
        .selectFrom('approvals')
        .selectAll()
        .where('digest', '=', approval.digest)
        .where('durable', '=', true)
        .where('state', '=', 'pending')
        .executeTakeFirst()
      if (other !== undefined) return (await withDecisions(db, [other]))[0] ?? approval
    }
    throw new Error('an identical request comes and goes')
  }

  async get(id: string): Promise<Approval | undefined> {
    const { db } = this.#store
    return await reached(
      (async () => {
        const rows = await db.selectFrom('approvals').selectAll().where('id', '=', id).execute()
        return (await withDecisions(db, rows))[0]
      })(),
    )
  }

  async change(id: string, step: (approval: Approval) => Approval): Promise<Approval | undefined> {
    return await reached(
      this.#store.db.transaction().execute(async (db) => {
        const rows = await db.selectFrom('approvals').selectAll().where('id', '=', id).forUpdate().execute()
        const [approval] = await withDecisions(db, rows)
        if (approval === undefined) return undefined
        const next = step(approval)
        if (next === approval) return approval
        const { numUpdatedRows } = await db
          .updateTable('approvals')
          .set(changing(next))
          .where('id', '=', id)
          .where('state', '=', approval.state)
          .where('uses', '=', approval.uses)
          .executeTakeFirst()
        // The lock makes it impossible; a mistake in it must not let an approval be used twice.
        if (numUpdatedRows !== 1n) throw new Error(`the request ${id} was changed by somebody else`)
        const added = next.decisions.slice(approval.decisions.length)
        for (const [i, decision] of added.entries()) {
          await db
            .insertInto('approval_decisions')
            .values(decisionRow(id, approval.decisions.length + i, decision))
            .execute()
        }
        return next
      }),
    )
  }

  async list(filter: ApprovalFilter): Promise<readonly Approval[]> {
    const { db } = this.#store
    let query = db
      .selectFrom('approvals')
      .selectAll()
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(filter.limit)
    if (filter.states !== undefined) query = query.where('state', 'in', filter.states)
    if (filter.target !== undefined) query = query.where('target', '=', filter.target)
    if (filter.before !== undefined) query = query.where('created_at', '<', filter.before)
    const { below } = filter
    if (below !== undefined) {
      query = query.where(sql<boolean>`(created_at, id) < (${below.createdAt}, ${below.id})`)
    }
    return await reached(query.execute().then((rows) => withDecisions(db, rows)))
  }

  async open(): Promise<readonly Approval[]> {
    const { db } = this.#store
    const query = db.selectFrom('approvals').selectAll().where('state', 'in', ['pending', 'granted'])
    return await reached(query.execute().then((rows) => withDecisions(db, rows)))
  }

  async similar(approval: Approval, since: Date): Promise<SimilarRequests> {
    const { db } = this.#store
    const rows = await reached(
      db
        .selectFrom('approvals')
        .select(['id', 'state', 'granted_at', 'created_at'])
        .where('target', '=', approval.target)
        .where('similar_to', '=', similarTo(approval))
        .where('created_at', '>=', since)
        .where('id', '<>', approval.id)
        .where('state', '<>', 'pending')
        .orderBy('created_at', 'desc')
        .limit(MAX_SIMILAR)
        .execute(),
    )
    const [last] = rows
    return {
      total: rows.length,
      granted: rows.filter((row) => row.granted_at !== null).length,
      denied: rows.filter((row) => row.state === 'denied').length,
      expired: rows.filter((row) => row.state === 'expired' && row.granted_at === null).length,
      last: last && { id: last.id, state: last.state, at: last.created_at },
    }
  }
}

/** Beyond this, how many there were says nothing more. */
const MAX_SIMILAR = 1000

/** The shape where there is one, else the text: what "the same again" means to a person. */
function similarTo({ statement }: Approval): string {
  const like = statement === undefined ? 'connection' : (statement.shape ?? statement.text)
  return createHash('sha256').update(like).digest('hex')
}

function newRow(approval: Approval) {
  const { database, principal, policyVersion, statement, need, sessionId, via, sourceIp, reported } = approval
  const request: KeptRequest = {
    database,
    principal,
    policyVersion,
    statement,
    need,
    sessionId,
    via,
    sourceIp,
    reported,
  }
  return {
    id: approval.id,
    digest: approval.digest,
    target: approval.target,
    similar_to: similarTo(approval),
    durable: approval.durable,
    request: JSON.stringify(request),
    created_at: approval.createdAt,
    ...changing(approval),
  }
}

function changing(approval: Approval) {
  const { kind, state, preview, grant, expiresAt, grantedAt, closedAt, closedBecause, uses } = approval
  return {
    kind,
    state,
    preview: preview === undefined ? null : JSON.stringify(preview),
    grant_bounds: grant === undefined ? null : JSON.stringify(grant),
    expires_at: expiresAt,
    granted_at: grantedAt ?? null,
    closed_at: closedAt ?? null,
    closed_because: closedBecause?.replaceAll('\0', '\uFFFD') ?? null,
    uses,
  }
}

function decisionRow(approvalId: string, n: number, { at, ...decision }: ApprovalDecision) {
  const { issuer, subject } = decision.person
  return { approval_id: approvalId, n, issuer, subject, at, decision: JSON.stringify(decision) }
}

/** The requests in these rows, with what people said about them: two queries, however many there are. */
async function withDecisions(db: Kysely<Schema>, rows: readonly Row[]): Promise<readonly Approval[]> {
  if (rows.length === 0) return []
  const found = await db
    .selectFrom('approval_decisions')
    .select(['approval_id', 'at', 'decision'])
    .where('approval_id', '=', sql<string>`ANY (${rows.map((row) => row.id)})`)
    .orderBy('n')
    .execute()
  const byId = Map.groupBy(found, (row) => row.approval_id)
  return rows.map((row) => {
    const decisions = (byId.get(row.id) ?? []).map(({ at, decision }) => ({ ...decision, at }))
    return { ...approvalOf(row), decisions }
  })
}

function approvalOf(row: Row): Omit<Approval, 'decisions'> {
  const { statement, sessionId, ...request } = row.request
  return {
    ...request,
    // JSON leaves out what is undefined.
    statement,
    sessionId,
    id: row.id,
    kind: row.kind,
    state: row.state,
    digest: row.digest,
    target: row.target,
    durable: row.durable,
    preview: row.preview ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    grantedAt: row.granted_at ?? undefined,
    closedAt: row.closed_at ?? undefined,
    closedBecause: row.closed_because ?? undefined,
    uses: row.uses,
    grant: row.grant_bounds ?? undefined,
  }
}
