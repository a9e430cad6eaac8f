import type { Principal } from '../access/model.ts'
import type { LeaseRow, LeaseState, LeaseStore } from '../credentials/ports.ts'
import type { Store } from './database.ts'

const COLUMNS = `id, target, handle, capability, state, session_id, principal, planned_at, issued_at, expires_at,
  revoked_at, attempts, last_error`

interface Row {
  id: string
  target: string
  handle: string
  capability: string
  state: LeaseState
  session_id: string | null
  principal: Principal | null
  planned_at: Date
  issued_at: Date | null
  expires_at: Date
  revoked_at: Date | null
  attempts: number
  last_error: string | null
}

/** Long enough to say what failed; it may hold a server's message, which is not bounded. */
const MAX_ERROR = 2_000

/**
 * Leases in the store, over its quick connections: a row survives the gateway, and a credential whose row a crash of
 * the database server took with it is found on its target as a stray. Every call is one prepared statement; states
 * only move forward, so that a late answer cannot bring a lease back.
 */
export class StoredLeases implements LeaseStore {
  readonly #store: Pick<Store, 'quick'>

  constructor(store: Pick<Store, 'quick'>) {
    this.#store = store
  }

  async plan(row: Parameters<LeaseStore['plan']>[0]): Promise<void> {
    await this.#store.quick.query(
      'lease_plan',
      `INSERT INTO sallyport.leases (id, target, handle, capability, state, expires_at, session_id, principal)
       VALUES ($1, $2, $3, $4, 'planned', $5, $6, $7)`,
      [
        row.id,
        row.target,
        row.handle,
        row.capability.hash,
        row.expiresAt,
        row.sessionId ?? null,
        row.principal === undefined ? null : JSON.stringify(row.principal),
      ],
    )
  }

  async issued(id: string): Promise<void> {
    await this.#store.quick.query(
      'lease_issued',
      `UPDATE sallyport.leases SET state = 'issued', issued_at = clock_timestamp() WHERE id = $1 AND state = 'planned'`,
      [id],
    )
  }

  async assign(id: string, sessionId: string, principal: Principal): Promise<void> {
    await this.#store.quick.query(
      'lease_assign',
      'UPDATE sallyport.leases SET session_id = $2, principal = $3 WHERE id = $1',
      [id, sessionId, JSON.stringify(principal)],
    )
  }

  async revoking(id: string): Promise<void> {
    await this.#store.quick.query(
      'lease_revoking',
      `UPDATE sallyport.leases SET state = 'revoking' WHERE id = $1 AND state <> 'revoked'`,
      [id],
    )
  }

  async failed(id: string, error: string): Promise<void> {
    await this.#store.quick.query(
      'lease_failed',
      'UPDATE sallyport.leases SET attempts = attempts + 1, last_error = $2 WHERE id = $1',
      [id, error.replaceAll('\0', '').slice(0, MAX_ERROR)],
    )
  }

  async revoked(id: string): Promise<void> {
    await this.#store.quick.query(
      'lease_revoked',
      `UPDATE sallyport.leases SET state = 'revoked', revoked_at = clock_timestamp()
       WHERE id = $1 AND state <> 'revoked'`,
      [id],
    )
  }

  async get(id: string): Promise<LeaseRow | undefined> {
    const rows = await this.#store.quick.query<Row>(
      'lease_get',
      `SELECT ${COLUMNS} FROM sallyport.leases WHERE id = $1`,
      [id],
    )
    return rows.map(leaseRow)[0]
  }

  async open(target?: string): Promise<readonly LeaseRow[]> {
    const rows = await this.#store.quick.query<Row>(
      'lease_open',
      `SELECT ${COLUMNS} FROM sallyport.leases
       WHERE state <> 'revoked' AND ($1::text IS NULL OR target = $1) ORDER BY planned_at, id`,
      [target ?? null],
    )
    return rows.map(leaseRow)
  }

  async list(filter: Parameters<LeaseStore['list']>[0]): Promise<readonly LeaseRow[]> {
    const rows = await this.#store.quick.query<Row>(
      'lease_list',
      `SELECT ${COLUMNS} FROM sallyport.leases
       WHERE ($1::text IS NULL OR target = $1) AND ($2::text IS NULL OR state = $2)
       ORDER BY planned_at DESC, id DESC LIMIT $3`,
      [filter.target ?? null, filter.state ?? null, filter.limit],
    )
    return rows.map(leaseRow)
  }
}

function leaseRow(row: Row): LeaseRow {
  return {
    id: row.id,
    target: row.target,
    handle: row.handle,
    capability: row.capability,
    state: row.state,
    sessionId: row.session_id ?? undefined,
    principal: row.principal ?? undefined,
    plannedAt: row.planned_at,
    issuedAt: row.issued_at ?? undefined,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at ?? undefined,
    attempts: row.attempts,
    lastError: row.last_error ?? undefined,
  }
}
