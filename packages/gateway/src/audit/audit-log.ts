import type { Audit } from './ports.ts'

/** The part of the journal that the audit log needs. */
export interface AuditJournal {
  append(line: string): void
}

/**
 * The audit log over the journal: one line `{"a":event,"at":epoch ms}` per event.
 * @param now epoch milliseconds
 */
export function auditLog(journal: AuditJournal, now: () => number = Date.now): Audit {
  return (event) => journal.append(`{"a":${JSON.stringify(event)},"at":${now()}}`)
}
