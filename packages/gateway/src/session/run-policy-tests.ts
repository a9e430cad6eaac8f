import type { Catalog } from '../access/catalog.ts'
import type { AccessContext, Principal, StatementReading, Target } from '../access/model.ts'
import { NO_USAGE } from '../access/model.ts'
import { Secret } from '../access/secret.ts'
import { DecisionPoint } from '../policy/decision-point.ts'
import type { CaseDifference, CaseResult } from '../policy/policy-tests-failed.ts'
import type { PolicyCase, PolicyTest } from '../policy/policy-test-schema.ts'
import type { Resources } from '../policy/resources.ts'
import { catalogSnippet } from './catalog-snippet.ts'
import { decideStatement } from './decide-statement.ts'
import type { StatementDecision } from './decide-statement.ts'

/** Reads a statement as a session does that has set nothing. Never rejects: what cannot be read is opaque. */
export type ReadSql = (sql: string, catalog: Catalog) => Promise<StatementReading>

/** A Wednesday, in office hours: for cases that say no time. */
const SOME_WORKDAY = Date.parse('2026-01-07T12:00:00Z')

/**
 * Runs every case of the resources against their own policies, by the same code that decides in sessions. In the order in
 * which they are written.
 * @param catalogOf what there is on a target, for tests that do not say; undefined: nobody knows
 */
export async function runPolicyTests(
  resources: Resources,
  read: ReadSql,
  catalogOf: (target: Target) => Promise<Catalog | undefined>,
): Promise<readonly CaseResult[]> {
  using point = new DecisionPoint(resources)
  const results: CaseResult[] = []
  for (const { test, path, lines } of resources.tests) {
    for (const [i, one] of test.cases.entries()) {
      const where = { path, line: lines[i] ?? 1, name: one.name }
      results.push({ ...where, ...(await runCase(point, test, one, read, catalogOf)) })
    }
  }
  return results
}

async function runCase(
  point: DecisionPoint,
  test: PolicyTest,
  one: PolicyCase,
  read: ReadSql,
  catalogOf: (target: Target) => Promise<Catalog | undefined>,
): Promise<Pick<CaseResult, 'differences' | 'reason'>> {
  const principal = one.as ?? test.as
  const target = targetOf(point, one.target ?? test.target)
  if (principal === undefined) return broken('somebody who asks', 'no "as"')
  if (target === undefined) {
    const named = one.target ?? test.target
    const got = named === undefined ? 'no "target"' : `there is no target ${JSON.stringify(named)}`
    return broken('a target of these resources, or one with its name and tags', got)
  }
  const decision = await decide(point, principal, target, test, one, read, catalogOf)
  if (decision === undefined) return broken('a "catalog" of the tables that the statement names', 'none')
  const differences = differencesOf(one.expect, decision)
  return { differences, ...(decision.effect === 'deny' ? { reason: decision.reason } : {}) }
}

async function decide(
  point: DecisionPoint,
  principal: Principal,
  target: Target,
  test: PolicyTest,
  one: PolicyCase,
  read: ReadSql,
  catalogOf: (target: Target) => Promise<Catalog | undefined>,
): Promise<StatementDecision | undefined> {
  const now = one.time === undefined ? SOME_WORKDAY : Date.parse(one.time)
  const context: AccessContext = {
    sessionId: 'ses_test',
    sourceIp: one.from,
    via: one.via,
    now,
    usage: {
      lastMinute: one.lastMinute ?? NO_USAGE.lastMinute,
      lastHour: one.lastHour ?? one.lastMinute ?? NO_USAGE.lastHour,
    },
    ...(one.purpose === undefined ? {} : { purpose: one.purpose }),
    ...(one.approved === undefined
      ? {}
      : {
          approval: {
            id: 'apr_test',
            approvedBy: one.approved.by,
            groups: one.approved.groups,
            grantedAt: one.approved.at === undefined ? now : Date.parse(one.approved.at),
          },
        }),
  }
  if (one.sql === undefined) {
    const operation = { action: 'connect', resource: { type: 'Target' } } as const
    const decision = point.decide({ principal, target, operation, context })
    const operations = [{ operation, decision }]
    return decision.effect === 'permit'
      ? {
          effect: 'permit',
          operations,
          policies: decision.policies,
          alarms: decision.alarms ?? [],
          guesses: 0,
        }
      : { ...decision, operations, code: decision.code ?? 'ACCESS_POLICY_DENIED' }
  }
  const catalog = test.catalog === undefined ? await catalogOf(target) : catalogSnippet(test.catalog)
  if (catalog === undefined) return undefined
  return decideStatement(point, { principal, target, reading: await read(one.sql, catalog), context })
}

/** The target of that name, or one that only exists in the test. */
function targetOf(point: DecisionPoint, asked: PolicyTest['target']): Target | undefined {
  if (typeof asked !== 'object') return asked === undefined ? undefined : point.resources.targets.get(asked)
  const known = point.resources.targets.get(asked.name)
  const { name, tags, database = known?.database ?? asked.name } = asked
  return { ...(known ?? NOWHERE), name, database, tags }
}

/** Nothing is connected to: a test has only the names and tags of a target. */
const NOWHERE: Omit<Target, 'name' | 'database' | 'tags'> = {
  protocol: 'postgres',
  address: { host: '127.0.0.1', port: 5432 },
  tls: { mode: 'verify-full' },
  recording: 'written',
  credentials: {
    issuer: 'postgres-role',
    username: 'nobody',
    password: new Secret(''),
    ttlSeconds: 60,
    prewarm: 0,
  },
}

function differencesOf(expect: PolicyCase['expect'], decision: StatementDecision): readonly CaseDifference[] {
  const found: CaseDifference[] = []
  const differ = (what: CaseDifference['what'], expected: string, got: string): void => {
    if (expected !== got) found.push({ what, expected, got })
  }
  const sorted = (names: readonly string[]): string => names.toSorted().join(', ') || 'none'
  const approval = decision.effect === 'deny' ? decision.approval : undefined
  differ('decision', expect.decision, approval === undefined ? decision.effect : 'approval')
  if (expect.policies !== undefined) differ('policies', sorted(expect.policies), sorted(decision.policies))
  if (expect.approvers !== undefined) {
    const asked = new Set(approval?.rules.flatMap((rule) => rule.approvers))
    differ('approvers', sorted(expect.approvers), sorted([...asked]))
  }
  const reason = decision.effect === 'deny' ? decision.reason : ''
  if (expect.reason !== undefined && !reason.includes(expect.reason)) {
    found.push({ what: 'reason', expected: `something with “${expect.reason}”`, got: reason || 'none' })
  }
  if (expect.alarms !== undefined) {
    differ('alarms', sorted(expect.alarms), sorted(decision.effect === 'permit' ? decision.alarms : []))
  }
  if (expect.columns !== undefined) {
    const expected = expect.columns === 'hidden' ? 'hidden' : expect.columns.join(', ')
    differ('columns', expected, columnsOf(decision, expect.columns === 'hidden' ? 0 : expect.columns.length))
  }
  return found
}

/** `clear, pii.email`; `hidden` where the columns could not be told. */
function columnsOf(decision: StatementDecision, width: number): string {
  if (decision.effect === 'deny') return 'none: it is denied'
  const [plan] = decision.masks ?? []
  if (plan === undefined) return Array.from({ length: width }, () => 'clear').join(', ')
  if (plan.beyond !== undefined) return 'hidden'
  return plan.columns
    .map((column) => (column === undefined ? 'clear' : column.classes.map((c) => c.dataClass.name).join('+')))
    .join(', ')
}

function broken(expected: string, got: string): Pick<CaseResult, 'differences'> {
  return { differences: [{ what: 'case', expected, got }] }
}
