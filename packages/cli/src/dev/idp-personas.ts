/** Somebody who can get a token from the development identity provider. */
export interface Persona {
  /** `sub` for a person, client id and `sub` for an agent. */
  readonly name: string
  readonly kind: 'person' | 'agent'
  readonly fullName: string
  readonly groups: readonly string[]
}

/** The people and agents of `sallyport dev` and of the demo. */
export const PERSONAS: readonly Persona[] = [
  { name: 'ana', kind: 'person', fullName: 'Ana Ferreira', groups: ['data-science'] },
  { name: 'omar', kind: 'person', fullName: 'Omar Haddad', groups: ['devops'] },
  { name: 'dora', kind: 'person', fullName: 'Dora Lindqvist', groups: ['dba'] },
  { name: 'insight-agent', kind: 'agent', fullName: 'Insight agent', groups: ['data-science'] },
  { name: 'deploy-agent', kind: 'agent', fullName: 'Deploy agent', groups: ['devops'] },
]

/** The persona of that name, of that kind if one is given. */
export function persona(name: string | undefined, kind?: Persona['kind']): Persona | undefined {
  return PERSONAS.find((one) => one.name === name && (kind === undefined || one.kind === kind))
}

/** What a token says about a persona, beside `sub`. */
export function claimsOf(one: Persona): {
  readonly groups: string[]
  readonly name: string
  readonly preferred_username: string
  readonly email?: string
} {
  return {
    groups: [...one.groups],
    name: one.fullName,
    preferred_username: one.name,
    ...(one.kind === 'person' ? { email: `${one.name}@shop.example` } : {}),
  }
}
