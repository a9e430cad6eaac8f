import type { PrincipalName } from '@sallyport/api'

/** `insight-agent for ana`, as people read it. */
export function principalText(
  principal: PrincipalName & { readonly actingFor?: PrincipalName | undefined },
): string {
  return principal.actingFor === undefined ? principal.id : `${principal.id} for ${principal.actingFor.id}`
}
