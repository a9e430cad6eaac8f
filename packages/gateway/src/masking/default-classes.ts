import type { MaskedClass } from '../access/masking.ts'
import type { Entity } from './detect/span.ts'

/** A data class that is proposed when it is found: with the class that it is a special case of. */
export interface DefaultClass extends MaskedClass {
  readonly in: string
}

/** What is proposed for each: as little as is useful. Resources of the same names take their place. */
export const DEFAULT_CLASSES: readonly DefaultClass[] = [
  { name: 'pii.name', in: 'pii', mask: { method: 'token' } },
  { name: 'pii.email', in: 'pii', mask: { method: 'partial', keep: 'domain' } },
  { name: 'pii.phone', in: 'pii', mask: { method: 'partial', keep: 'last4' } },
  { name: 'pii.address', in: 'pii', mask: { method: 'redact' } },
  { name: 'pii.birthdate', in: 'pii', mask: { method: 'truncate', to: 'year' } },
  { name: 'pii.ssn', in: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.national-id', in: 'pii', mask: { method: 'token' } },
  { name: 'pii.driver-license', in: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.passport', in: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.tax-id', in: 'pii.national-id', mask: { method: 'token' } },
  { name: 'pii.ip', in: 'pii', mask: { method: 'partial', keep: 'last4' } },
  { name: 'pii.gender', in: 'pii', mask: { method: 'redact' } },
  { name: 'pii.health', in: 'pii', mask: { method: 'redact' } },
  { name: 'pii.location', in: 'pii', mask: { method: 'redact' } },
  { name: 'pci.card', in: 'pci', mask: { method: 'partial', keep: 'last4' } },
  { name: 'pci.cvv', in: 'pci', mask: { method: 'redact' } },
  { name: 'pci.iban', in: 'pci', mask: { method: 'partial', keep: 'last4' } },
  { name: 'pci.account', in: 'pci', mask: { method: 'partial', keep: 'last4' } },
  { name: 'secret.password', in: 'secret', mask: { method: 'redact' } },
  { name: 'secret.token', in: 'secret', mask: { method: 'redact' } },
  { name: 'secret.key', in: 'secret', mask: { method: 'redact' } },
  { name: 'hr.salary', in: 'hr', mask: { method: 'bucket', size: 10_000 } },
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
