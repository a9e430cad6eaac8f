import {
  type ExplainedDecision,
  LintRequest,
  type LintReport,
  SimulateRequest,
  type Simulation as SimulationAnswer,
} from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { SallyportError } from '../../access/errors.ts'
import type { GrantedApproval } from '../../access/approval.ts'
import type { Principal, Target } from '../../access/model.ts'
import type { EventRow } from '../../recording/ports.ts'
import { policyAnswer, simulationAnswer } from '../answers/simulation-answer.ts'
import { authorizeAdmin, authorizeConnect, isOwn, mayAdminister } from '../authorize.ts'
import { type Caller, withCaller } from '../caller.ts'
import { readInput } from '../read-input.ts'
import type { ControlServices } from '../services.ts'

/** As for applying them. */
const MAX_RESOURCES_BYTES = 8 * 1024 * 1024
/** A statement of a megabyte, escaped. */
const MAX_STATEMENT_BYTES = 4 * 1024 * 1024

const Params = z.object({ id: z.string() })

export function policyRoutes(app: FastifyInstance, services: ControlServices): void {
  const { desk } = services

  app.post('/api/v1/policy/simulate', {
    bodyLimit: MAX_STATEMENT_BYTES,
    ...withCaller(services, async (caller, request): Promise<SimulationAnswer> => {
      const asked = readInput(SimulateRequest, request.body)
      const { as, purpose, via } = asked
      // What would be decided for somebody else tells what they may do.
      if (as !== undefined) authorizeAdmin(services, caller, 'simulate')
      // Whoever may not connect is told that, and not what there is.
      const target =
        as === undefined && !mayAdminister(services, caller, 'simulate')
          ? authorizeConnect(services, caller, asked.target, { via, purpose })
          : targetNamed(services, asked.target)
      const principal = as === undefined ? caller.principal : principalOf(as)
      const now = asked.time === undefined ? Date.now() : Date.parse(asked.time)
      const approval: GrantedApproval | undefined = asked.approved && {
        id: 'apr_simulated',
        approvedBy: asked.approved.by,
        groups: asked.approved.groups,
        grantedAt: now,
      }
      const simulated = await desk.simulate(principal, target, asked.sql, {
        sourceIp: asked.sourceIp ?? caller.sourceIp,
        via,
        now,
        ...(purpose === undefined ? {} : { purpose }),
        ...(approval === undefined ? {} : { approval }),
      })
      return simulationAnswer(simulated)
    }),
  })

  app.get(
    '/api/v1/policy/decisions/:id',
    withCaller(services, async (caller, request): Promise<ExplainedDecision> => {
      const { id } = readInput(Params, request.params)
      return await explain(services, caller, id)
    }),
  )

  app.post('/api/v1/policy/lint', {
    bodyLimit: MAX_RESOURCES_BYTES,
    ...withCaller(services, async (caller, request): Promise<LintReport> => {
      authorizeAdmin(services, caller, 'applyResources')
      const { files } = readInput(LintRequest, request.body)
      const { findings, catalogs } = await desk.lint(files)
      return {
        findings: findings.map(({ path, ...finding }) => ({ file: path, ...finding })),
        catalogs: [...catalogs],
      }
    }),
  })
}

/** @throws SallyportError TARGET_UNKNOWN */
function targetNamed({ targets }: Pick<ControlServices, 'targets'>, name: string): Target {
  const target = targets.get(name)
  if (target !== undefined) return target
  throw new SallyportError('TARGET_UNKNOWN', `there is no target named "${name}"`, {
    hint: '`sallyport targets list` shows those that are open to you',
  })
}

/** @throws SallyportError DECISION_UNKNOWN, for what is not there and for what the caller may not see alike */
async function explain(services: ControlServices, caller: Caller, id: string): Promise<ExplainedDecision> {
  const dot = id.lastIndexOf('.')
  const [sessionId, number] = [id.slice(0, dot), id.slice(dot + 1)]
  const session = dot > 0 && /^\d{1,9}$/.test(number) ? await services.sessions.get(sessionId) : undefined
  const visible =
    session !== undefined &&
    (isOwn(caller.principal, session.principal) || mayAdminister(services, caller, 'explain'))
  const found = visible ? await statementAt(services, sessionId, Number(number)) : undefined
  if (!visible || found === undefined) {
    throw new SallyportError('DECISION_UNKNOWN', `there is no decision ${id} among those open to you`, {
      hint: 'a decision is <session>.<number>, as `sallyport sessions show` lists them; for those of others policy has to permit explain',
    })
  }
  const { at, n, event } = found
  const { effect, policies, operations, reason } = event.decision
  const known = services.desk.policiesNamed(policies)
  const { actingFor } = session.principal
  return {
    id: `${sessionId}.${n}`,
    at: at.toISOString(),
    session: sessionId,
    principal: session.principal.id,
    ...(actingFor === undefined ? {} : { actingFor: actingFor.id }),
    target: session.target,
    text: event.text,
    effect,
    operations: [...operations],
    ...(reason === undefined ? {} : { reason }),
    policies: known.map(policyAnswer),
    gone: policies.filter((policy) => !known.some((one) => one.id === policy)),
  }
}

/** The statement of that number, or the one that was executed or answered under it. */
async function statementAt(services: ControlServices, sessionId: string, n: number) {
  const eventAt = async (at: number): Promise<EventRow | undefined> =>
    (await services.sessions.events(sessionId, { from: at, limit: 1 })).find((row) => row.n === at)
  let row = await eventAt(n)
  if (row?.event.kind === 'result') row = await eventAt(row.event.of)
  if (row?.event.kind === 'execute') row = await eventAt(row.event.statement)
  return row?.event.kind === 'statement' ? { n: row.n, at: row.at, event: row.event } : undefined
}

type Asked = NonNullable<z.output<typeof SimulateRequest>['as']>

function principalOf({ kind, id, groups, attributes, issuer, actingFor }: Asked): Principal {
  const plain = { kind, id, issuer: issuer ?? '', subject: id, groups, attributes }
  return actingFor === undefined ? plain : { ...plain, actingFor: principalOf(actingFor) }
}
