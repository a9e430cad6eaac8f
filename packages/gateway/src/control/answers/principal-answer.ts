import type { PrincipalName, WhoAmI } from '@sallyport/api'
import type { Principal } from '../../access/model.ts'

export function principalName({ kind, id }: Principal): PrincipalName {
  return { kind, id }
}

export function whoAmI(principal: Principal): WhoAmI {
  const { kind, id, issuer, subject, groups, attributes, actingFor } = principal
  return {
    kind,
    id,
    issuer,
    subject,
    groups: [...groups],
    attributes: { ...attributes },
    ...(actingFor === undefined ? {} : { actingFor: principalName(actingFor) }),
  }
}
