import { AuthenticationFailed } from '../access/errors.ts'
import type { Principal, PrincipalKind } from '../access/model.ts'
import type { TrustedIssuer } from './ports.ts'

/** OpenID Connect Core §2 limits `sub` to 255 characters; audit rows and policy entities are made from it. */
const MAX_ID_LENGTH = 255
/** Providers cut group lists at about 200; every group is an entity in each policy decision. */
const MAX_GROUPS = 256
const MAX_GROUP_LENGTH = 256
/** Attributes are copied into every policy request and every recorded session. */
const MAX_ATTRIBUTE_LENGTH = 1024

type Claims = Readonly<Record<string, unknown>>

/**
 * Turns the claims of a verified token into who asks. Pure.
 *
 * A token with `act` (RFC 8693 §4.1) speaks for the actor: the principal is the agent `act.sub`, `actingFor` is the
 * subject, and its groups are the subject's and the actor's together. Without `act`, the kind comes from the configured
 * claim if the token has it; otherwise a token whose `client_id` is its `sub` (RFC 9068 §5) is an agent's own.
 *
 * An id that prints like another one is refused, never mended: two different subjects must not meet in one policy entity.
 * @throws AuthenticationFailed AUTH_TOKEN_INVALID when a claim that decides anything is missing, odd or too large
 */
export function principalFromClaims(claims: Claims, issuer: TrustedIssuer): Principal {
  const subject = nameIn(claims, 'sub', 'sub')
  const common = { issuer: issuer.issuer, attributes: attributesIn(claims, issuer.claims.attributes) }
  const groups = groupsIn(claims, issuer.claims.groups)

  if (!Object.hasOwn(claims, 'act')) {
    const kind = kindOf(claims, issuer.claims.kind)
    const id = qualified(
      issuer,
      kind === 'user' ? nameIn(claims, issuer.claims.id, issuer.claims.id) : subject,
    )
    return { ...common, kind, id, subject, groups }
  }

  const user: Principal = {
    ...common,
    kind: 'user',
    id: qualified(issuer, nameIn(claims, issuer.claims.id, issuer.claims.id)),
    subject,
    groups,
  }
  return actorFor(user, claims['act'], issuer)
}

function actorFor(user: Principal, act: unknown, issuer: TrustedIssuer): Principal {
  if (!isObject(act)) throw invalid('the claim "act" is not an object')
  // A chain of delegations cannot be shown to policy, and leaving out a link would hide who really asks.
  if (Object.hasOwn(act, 'act')) throw invalid('the token delegates more than once ("act" inside "act")')
  if (Object.hasOwn(act, 'iss') && act['iss'] !== issuer.issuer) {
    throw invalid('the actor in "act" belongs to another issuer than the token')
  }
  const subject = nameIn(act, 'sub', 'act.sub')
  return {
    kind: 'agent',
    id: qualified(issuer, subject),
    issuer: issuer.issuer,
    subject,
    groups: bounded([...new Set([...user.groups, ...groupsIn(act, issuer.claims.groups)])]),
    attributes: user.attributes,
    actingFor: user,
  }
}

function kindOf(claims: Claims, kindClaim: string | undefined): PrincipalKind {
  const said = kindClaim === undefined ? undefined : own(claims, kindClaim)
  if (said === undefined) return own(claims, 'client_id') === own(claims, 'sub') ? 'agent' : 'user'
  if (said === 'user' || said === 'agent' || said === 'service') return said
  throw invalid(`the claim "${kindClaim}" is none of user, agent, service`)
}

function qualified(issuer: TrustedIssuer, name: string): string {
  return issuer.prefix === undefined ? name : `${issuer.prefix}/${name}`
}

function nameIn(claims: Claims, claim: string, shown: string): string {
  const value = own(claims, claim)
  if (typeof value !== 'string') throw invalid(`the claim "${shown}" is missing or not a string`)
  return checkedName(value, MAX_ID_LENGTH, shown)
}

function groupsIn(claims: Claims, claim: string): readonly string[] {
  const value = own(claims, claim)
  if (value === undefined) {
    // A provider that left the groups out because there are too many would otherwise lift every `forbid` on a group.
    if (isDistributed(claims, claim))
      throw invalid(`the claim "${claim}" is not in the token, only a reference to it`)
    return []
  }
  const list = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list)) throw invalid(`the claim "${claim}" is neither a string nor a list of strings`)
  const names = bounded(list).map((name: unknown) => {
    if (typeof name !== 'string') throw invalid(`the claim "${claim}" holds something that is not a string`)
    return checkedName(name, MAX_GROUP_LENGTH, claim)
  })
  return [...new Set(names)]
}

function bounded<T>(groups: readonly T[]): readonly T[] {
  if (groups.length > MAX_GROUPS) throw invalid(`the token names more than ${MAX_GROUPS} groups`)
  return groups
}

/** OpenID Connect Core §5.6.2, and the `hasgroups` claim by which Entra ID says the same in short. */
function isDistributed(claims: Claims, claim: string): boolean {
  const names = own(claims, '_claim_names')
  return (isObject(names) && Object.hasOwn(names, claim)) || own(claims, 'hasgroups') === true
}

function attributesIn(
  claims: Claims,
  mapping: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const found = Object.entries(mapping).flatMap(([name, claim]): [string, string][] => {
    const value = own(claims, claim)
    if (value === undefined) return []
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      throw invalid(`the claim "${claim}" is not a plain value`)
    }
    const text = String(value)
    if (text.length > MAX_ATTRIBUTE_LENGTH) throw invalid(`the claim "${claim}" is too long`)
    if (/\p{Cc}/u.test(text) || !text.isWellFormed())
      throw invalid(`the claim "${claim}" holds control characters`)
    return [[name, text]]
  })
  return Object.fromEntries(found)
}

/** Control, format and separator characters: invisible, or able to reorder what a reviewer reads. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

function checkedName(value: string, maxLength: number, claim: string): string {
  if (value === '') throw invalid(`the claim "${claim}" is empty`)
  if (value.length > maxLength) throw invalid(`the claim "${claim}" is longer than ${maxLength} characters`)
  if (HIDDEN.test(value)) throw invalid(`the claim "${claim}" holds control characters`)
  if (value.trim() !== value) throw invalid(`the claim "${claim}" begins or ends with white space`)
  if (!value.isWellFormed() || value.normalize('NFC') !== value)
    throw invalid(`the claim "${claim}" is not in Unicode NFC`)
  return value
}

/** Only what the token itself says: a claim called `constructor` must not find JavaScript's. */
function own(claims: Claims, claim: string): unknown {
  return Object.hasOwn(claims, claim) ? claims[claim] : undefined
}

function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(message: string): AuthenticationFailed {
  return new AuthenticationFailed('AUTH_TOKEN_INVALID', `the token cannot be used: ${message}`, {
    hint: "ask whoever runs the identity provider, or check `identity.issuers[].claims` in the gateway's configuration",
  })
}
