import type {
  AccessContext,
  Action,
  Decision,
  Operation,
  Principal,
  Resource,
  StatementFacts,
  Target,
} from '../access/model.ts'
import { Secret } from '../access/secret.ts'
import { DecisionPoint } from './decision-point.ts'
import { readResources } from './resources.ts'

/** What the tests of this folder ask with: the demo's target, personas and tables. */
export const SHOP: Target = {
  name: 'shop',
  protocol: 'postgres',
  address: { host: '127.0.0.1', port: 5432 },
  database: 'shop',
  tls: { mode: 'disable' },
  tags: { env: 'prod' },
  credentials: {
    issuer: 'postgres-role',
    username: 'issuer',
    password: new Secret('x'),
    ttlSeconds: 900,
    prewarm: 0,
  },
  recording: 'written',
}

export function principal(kind: Principal['kind'], id: string, groups: readonly string[]): Principal {
  return { kind, id, issuer: 'https://idp.test', subject: id, groups, attributes: {} }
}

export const ANA = principal('user', 'ana', ['data-science'])
export const OMAR = principal('user', 'omar', ['devops'])
export const DORA = principal('user', 'dora', ['dba'])
export const INSIGHT = principal('agent', 'insight-agent', ['data-science'])
export const DEPLOY = principal('agent', 'deploy-agent', ['devops'])

export const CONTEXT: AccessContext = {
  sessionId: 'ses_1',
  sourceIp: '127.0.0.1',
  via: 'postgres',
  /** A Wednesday. */
  now: Date.parse('2026-03-04T10:30:00Z'),
  usage: {
    lastMinute: { statements: 1, rows: 0, denials: 0 },
    lastHour: { statements: 1, rows: 0, denials: 0 },
  },
}

export const FACTS: StatementFacts = {
  hasWhere: true,
  whereIsTrivial: false,
  functions: [],
  multi: false,
  locksRows: false,
  readOnly: true,
  reading: 'complete',
}

export const DATABASE: Resource = { type: 'Database' }
export const TARGET: Resource = { type: 'Target' }

export function table(name: string, schema = 'public'): Resource {
  return { type: 'Table', schema, table: name }
}

export function resourcesOf(policies: string, yaml?: string) {
  const files = [{ path: 'p.cedar', text: policies }]
  if (yaml !== undefined) files.push({ path: 'r.yaml', text: SHOP_YAML + yaml })
  return readResources(files, () => new Secret('x'))
}

/** `yaml`: classifications and data classes beside the target `shop`. */
export function pointOf(policies: string, yaml?: string): DecisionPoint {
  return new DecisionPoint(resourcesOf(policies, yaml))
}

const SHOP_YAML = `kind: Target
name: shop
protocol: postgres
address: 127.0.0.1:5432
database: shop
tls: disable
credentials: { issuer: postgres-role, username: issuer, password: { env: P } }
---
`

export function ask(
  point: DecisionPoint,
  who: Principal,
  action: Action,
  resource: Resource,
  more: {
    facts?: Partial<StatementFacts>
    context?: Partial<AccessContext>
    target?: Target
    columns?: readonly string[]
    through?: Operation['through']
  } = {},
): Decision {
  return point.decide({
    principal: who,
    target: more.target ?? SHOP,
    operation: {
      action,
      resource,
      ...(more.columns === undefined ? {} : { columns: more.columns }),
      ...(more.through === undefined ? {} : { through: more.through }),
    },
    facts: { ...FACTS, ...more.facts },
    context: { ...CONTEXT, ...more.context },
  })
}
