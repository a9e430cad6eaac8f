import type { MaskedClass } from '../access/masking.ts'
import type { Entity } from './detect/span.ts'

/** A data class that is proposed when it is found. */
export interface DefaultClass extends MaskedClass {
  /** The class of which it is a special case, where that is not what its name begins with. */
  readonly in?: string
}

/** What is proposed for each: as little as is useful. Resources of the same names take their place. */
export const DEFAULT_CLASSES: readonly DefaultClass[] = [
  { name: 'pii.name', mask: { method: 'token' } },
  { name: 'pii.email', mask: { method: 'partial', keep: 'domain' } },
  { name: 'pii.phone', mask: { method: 'partial', keep: 'last4' } },
  { name: 'pii.address', mask: { method: 'redact' } },
  { name: 'pii.birthdate', mask: { method: 'truncate', to: 'year' } },
  { name: 'pii.ssn', in: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.driver-license', in: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.passport', in: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.tax-id', in: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.ip', mask: { method: 'partial', keep: 'last4' } },
  { name: 'pii.gender', mask: { method: 'redact' } },
  { name: 'pii.health', mask: { method: 'redact' } },
  { name: 'pii.location', mask: { method: 'redact' } },
  { name: 'pci.card', mask: { method: 'partial', keep: 'last4' } },
  { name: 'pci.cvv', mask: { method: 'redact' } },
  { name: 'pci.iban', mask: { method: 'partial', keep: 'last4' } },
  { name: 'pci.account', mask: { method: 'partial', keep: 'last4' } },
  { name: 'secret.password', mask: { method: 'redact' } },
  { name: 'secret.token', mask: { method: 'redact' } },
  { name: 'secret.key', mask: { method: 'redact' } },
  { name: 'hr.salary', mask: { method: 'bucket', size: 10_000 } },
]

/** The data class of what a detector finds. */
export function classOf(entity: Entity): string {
  switch (entity) {
    case 'email':
    case 'phone':
    case 'national-id':
    case 'driver-license':
    case 'birthdate':
    case 'location':
      return `pii.${entity}`
    case 'card':
    case 'iban':
      return `pci.${entity}`
    case 'us-ssn':
      return 'pii.ssn'
    case 'ip-address':
      return 'pii.ip'
    case 'person':
      return 'pii.name'
    case 'jwt':
      return 'secret.token'
    case 'api-key':
    case 'private-key':
      return 'secret.key'
    case 'url':
    case 'date':
    case 'age':
    case 'organization':
      return 'pii'
    case 'custom':
      return 'custom'
  }
}
