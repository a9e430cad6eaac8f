import type { Approval, ApprovalBinding, BoundStatement, KeptStatement } from './ports.ts'
import type { GrantWish, ParameterBound } from './grant-bounds.ts'
import { approvalDigest, principalDigest, readingDigest } from './digest.ts'
import { valueText } from './parameter-text.ts'

/**
 * Whether an approval is for what is about to run. A `statement` only for exactly that; a `pattern` for its shape within
 * its bounds; a `connection` for whatever the same policies ask. All only for the same principal, acting for the same
 * person, on the same target and database, under the same policies.
 * @param policies that ask now, by `@id`
 */
export function covers(approval: Approval, binding: ApprovalBinding, policies: readonly string[]): boolean {
  const same =
    approval.target === binding.target &&
    approval.database === binding.database &&
    approval.policyVersion === binding.policyVersion &&
    principalDigest(approval.principal) === principalDigest(binding.principal) &&
    policies.length > 0 &&
    policies.every((policy) => approval.need.policies.includes(policy))
  if (!same) return false
  switch (approval.kind) {
    case 'statement':
      return approval.digest === approvalDigest(binding)
    case 'connection':
      return true
    case 'pattern':
      return (
        approval.statement !== undefined &&
        approval.grant !== undefined &&
        binding.statement !== undefined &&
        isOfPattern(approval.statement, approval.grant, binding.statement)
      )
    default:
      return approval.kind satisfies never
  }
}

function isOfPattern(shown: KeptStatement, grant: GrantWish, now: BoundStatement): boolean {
  const sameText =
    shown.text === now.text ||
    (grant.anyLiterals === true && shown.shape !== undefined && shown.shape === now.shape)
  return (
    sameText &&
    JSON.stringify(shown.executes) === JSON.stringify(now.executes) &&
    JSON.stringify(shown.searchPath) === JSON.stringify(now.searchPath) &&
    shown.readingDigest === readingDigest(now.reading) &&
    shown.objects === now.objects &&
    shown.parameters.length === now.parameters.length &&
    now.parameters.every((parameter, i) => {
      const before = shown.parameters[i]
      if (before === undefined || before.type !== parameter.type) return false
      const value = parameter.value === null ? null : parameter.value.toString('base64')
      if (before.format === parameter.format && before.value === value) return true
      const bound = grant.parameters?.find(({ number }) => number === i + 1)
      return bound !== undefined && within(bound, valueText({ ...parameter, value }))
    })
  )
}

/** @param value as text; undefined when it cannot be told, null for NULL */
function within(bound: ParameterBound, value: string | null | undefined): boolean {
  if ('any' in bound) return true
  if (value === undefined || value === null) return false
  if ('oneOf' in bound) return bound.oneOf.includes(value)
  // As decimal digits only: `Number` also takes "", "0x10" and "1e3", which a target may read as something else.
  if (!/^-?\d{1,15}(?:\.\d{1,15})?$/.test(value)) return false
  const number = Number(value)
  return number >= bound.min && number <= bound.max
}
