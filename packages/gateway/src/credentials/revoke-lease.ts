import { SallyportError } from '../access/errors.ts'
import type { CredentialIssuer } from '../protocols/contract.ts'
import type { LeaseAudit, LeaseLog, LeaseMetrics, LeaseStore } from './ports.ts'

export interface Revocation {
  readonly store: LeaseStore
  readonly audit: LeaseAudit
  readonly log: LeaseLog
  readonly metrics: LeaseMetrics
}

/** What a revocation has to know of a lease, whoever began it. */
export interface RevocableLease {
  readonly id: string
  readonly target: string
  readonly handle: string
  readonly sessionId: string | undefined
  readonly principal: { readonly id: string } | undefined
}

/**
 * Removes a lease's credential from its target and says so in the store. The target comes first: a store or a
 * journal that is down must not keep a credential alive; then the row stays open, and the sweeper does all of
 * it again.
 * @returns why it failed, for whoever asked; the row knows too
 */
export async function revokeLease(
  { store, audit, log, metrics }: Revocation,
  issuer: CredentialIssuer,
  lease: RevocableLease,
  signal: AbortSignal,
): Promise<SallyportError | undefined> {
  const fields = { lease: lease.id, target: lease.target, role: lease.handle }
  const tell = (type: 'lease.revoke' | 'lease.revoke-failed', error?: string): void => {
    audit({
      type,
      target: lease.target,
      ...(lease.principal === undefined ? {} : { principal: lease.principal.id }),
      ...(lease.sessionId === undefined ? {} : { sessionId: lease.sessionId }),
      detail: { lease: lease.id, role: lease.handle, ...(error === undefined ? {} : { error }) },
    })
  }
  const noted = async (what: string, note: () => Promise<void> | void): Promise<void> => {
    try {
      await note()
    } catch (error) {
      log.error({ ...fields, error: String(error) }, `a revocation goes on, but ${what}`)
    }
  }
  await noted('the store does not know', () => store.revoking(lease.id))
  const began = performance.now()
  try {
    await issuer.revoke(lease.handle, signal)
    metrics.revoked((performance.now() - began) / 1000)
  } catch (thrown) {
    metrics.revokeFailed()
    const error = SallyportError.from(thrown)
    log.error(
      { ...fields, code: error.code, error: error.message },
      'a lease could not be revoked; it will be tried again',
    )
    await noted('its failure is not in the store', () => store.failed(lease.id, error.message))
    await noted('its failure is not in the audit log', () => tell('lease.revoke-failed', error.message))
    return error
  }
  await noted('it is not in the audit log', () => tell('lease.revoke'))
  try {
    await store.revoked(lease.id)
  } catch (thrown) {
    const error = SallyportError.from(thrown)
    log.error(
      { ...fields, error: error.message },
      'a lease is revoked, but the store does not know; it will be tried again',
    )
    return error
  }
  return undefined
}
