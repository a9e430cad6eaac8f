import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { Secret } from '../access/secret.ts'
import type { Catalog } from '../access/catalog.ts'
import { NO_FLOW } from '../access/data-flow.ts'
import { catalogOf } from '../access/catalog.fixture.ts'
import type { SessionRecorder } from '../protocols/contract.ts'
import { DetectionMasks } from '../masking/detection-mask.ts'
import { DecisionPoint } from '../policy/decision-point.ts'
import { ANA, FACTS } from '../policy/policy-fixtures.ts'
import type { ResourceFile, ResourceSet } from '../policy/ports.ts'
import { NO_RESOURCES } from '../policy/resources.ts'
import { Catalogs } from './catalogs.ts'
import { SessionGuard, Verdicts } from './guard.ts'
import { LiveSessions } from './live-sessions.ts'
import { UsagePage } from './recent-usage.ts'
import { MaskShelf } from './statement-masks.ts'
import { ResourcesInForce } from './resources-in-force.ts'

const CATALOG: Catalog = catalogOf([])
const SHOP = {
  kind: 'Target',
  name: 'shop',
  protocol: 'postgres',
  address: '127.0.0.1:5432',
  database: 'shop',
  tls: 'disable',
  tags: { env: 'test' },
  credentials: { issuer: 'postgres-role', username: 'issuer', password: { env: 'P' }, ttl: '15m' },
}
const POLICIES = `
@id("all") permit (principal, action, resource);
@id("not-prod") forbid (principal, action == Action::"select", resource)
when { resource.hasTag("env") && resource.getTag("env") == "prod" };
`
const RECORDER: SessionRecorder = {
  statement: () => 0,
  execute: () => 0,
  result: () => undefined,
  written: () => undefined,
}

function files(target: object, policies = POLICIES): ResourceFile[] {
  return [
    { path: 'targets.yaml', text: stringify(target) },
    { path: 'policies.cedar', text: policies },
  ]
}

/** Resources over a store in memory, with `shop` in force. */
/** No policy here asks people. */
const NOBODY_ASKED = {
  approvals: {
    request: () => Promise.reject(new Error('somebody was asked')),
    redeem: () => Promise.reject(new Error('something was redeemed')),
  },
  reported: {},
  elevate: () => Promise.reject(new Error('something was granted')),
  wait: { ms: 0, keeps: false },
  urlOf: (id: string) => id,
  onNew: () => undefined,
}

async function started() {
  let kept: ResourceSet | undefined
  const point = new DecisionPoint(NO_RESOURCES)
  const live = new LiveSessions()
  const catalogs = new Catalogs(
    async () => CATALOG,
    () => undefined,
  )
  const verdicts = new Verdicts()
  const resources = new ResourcesInForce({
    store: {
      current: async () => kept,
      replace: async (files, expected) => (kept = { version: expected + 1, files }),
    },
    point,
    catalogs,
    live,
    audit: () => undefined,
    resolve: () => new Secret('a password'),
    test: () => Promise.resolve([]),
    onChange: () => undefined,
  })
  await resources.apply(files(SHOP), 0, 'test')
  const open = (id: string) => {
    const target = point.resources.targets.get('shop')
    if (target === undefined) throw new Error('no shop')
    const context = { sessionId: id, sourceIp: '127.0.0.1', via: 'postgres' } as const
    const session = live.open(
      { id, principal: ANA, target, context, ticketId: undefined },
      new AbortController().signal,
    )
    const { signal } = session
    const guard = new SessionGuard({
      principal: ANA,
      target,
      context,
      point,
      catalogs,
      catalog: CATALOG,
      verdicts,
      recorder: RECORDER,
      metrics: { decided: () => undefined },
      usage: new UsagePage(),
      masks: { shelf: new MaskShelf(() => Buffer.alloc(32)), detector: new DetectionMasks() },
      onAlarm: () => undefined,
      signal,
      approvals: NOBODY_ASKED,
    })
    const resource = { type: 'Table', schema: 'public', table: 'customers' } as const
    const ask = () =>
      guard.authorize(
        {
          operations: [{ action: 'select', resource }],
          facts: FACTS,
          dependsOn: 'shape',
          needs: [],
          flow: NO_FLOW,
        },
        'SELECT name FROM customers',
      )
    return { signal, ask }
  }
  return { resources, open }
}

test.each([
  ['its tags', { ...SHOP, tags: { env: 'prod' } }],
  ['its address', { ...SHOP, address: '127.0.0.1:5433' }],
  ['its database', { ...SHOP, database: 'other' }],
  ['its encryption', { ...SHOP, tls: 'require' }],
  ['how it is recorded', { ...SHOP, recording: 'strict' }],
])('a session ends when its target is redefined: %s', async (_, target) => {
  const { resources, open } = await started()
  const session = open('ses_1')
  expect(session.ask().permitted).toBe(true)
  await resources.apply(files(target), 1, 'test')
  expect(session.signal.reason).toMatchObject({ code: 'SESSION_ENDED' })
})

test.each([
  ['nothing changed', SHOP],
  ['only the account of the gateway did', { ...SHOP, credentials: { ...SHOP.credentials, prewarm: 3 } }],
])('a session goes on when its target is applied again and %s', async (_, target) => {
  const { resources, open } = await started()
  const session = open('ses_1')
  await resources.apply(files(target), 1, 'test')
  expect(session.signal.aborted).toBe(false)
  expect(session.ask().permitted).toBe(true)
})

test('a session ends when policy no longer permits it to be connected', async () => {
  const { resources, open } = await started()
  const session = open('ses_1')
  await resources.apply(files(SHOP, '@id("none") forbid (principal, action, resource);'), 1, 'test')
  expect(session.signal.reason).toMatchObject({ code: 'SESSION_ENDED' })
})
