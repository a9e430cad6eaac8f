import type { TargetSummary } from '@sallyport/api'
import type { Target } from '../../access/model.ts'

/** What those who may connect to a target are told of it: neither its address nor the account that the gateway has on it. */
export function targetSummary({ name, protocol, database, tags }: Target): TargetSummary {
  return { name, protocol, database, tags: { ...tags } }
}
