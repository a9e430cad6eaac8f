import {
  type Approval as ApprovalAnswer,
  type ApprovalEvents,
  type ApprovalList,
  ApprovalQuery,
  ApprovalWatchQuery,
  ApproveRequest,
  DenyRequest,
} from '@sallyport/api'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { SallyportError } from '../../access/errors.ts'
import { StatementFormatter } from '../../approvals/formatted-statement.ts'
import type { GrantWish } from '../../approvals/grant-bounds.ts'
import { whyNot } from '../../approvals/may-decide.ts'
import type { Approval } from '../../approvals/ports.ts'
import { approvalAnswer, approvalSummary } from '../answers/approval-answer.ts'
import { isOwn, mayAdminister } from '../authorize.ts'
import type { Caller } from '../caller.ts'
import { readInput } from '../read-input.ts'
import type { ControlServices } from '../services.ts'
import { withPerson } from '../with-person.ts'

const Params = z.object({ id: z.string() })
/** Rows looked through for those that the caller may see, a page at a time. */
const PAGE = 200
const MAX_PAGES = 25
/** Watchers of one gateway at once; each holds a connection. */
const MAX_WATCHERS = 500
const WHAT = {
  name: 'approvals',
  hint: 'an agent asks with the tool check_approval; a person logs in with a token of their own',
}

/** Where people decide. Only people: no agent, no service, no ticket gets an answer here. */
export function approvalRoutes(app: FastifyInstance, services: ControlServices): void {
  const { approvals } = services
  const formatter = new StatementFormatter()
  let watchers = 0

  app.get(
    '/api/v1/approvals',
    withPerson(services, WHAT, async (caller, request): Promise<ApprovalList> => {
      const { state, target, mine, limit, before } = readInput(ApprovalQuery, request.query)
      const sees = visibleTo(services, caller)
      const found: ApprovalList['approvals'] = []
      let last: Approval | undefined
      for (let page = 0; page < MAX_PAGES && found.length < limit; page++) {
        const rows = await approvals.list({
          limit: PAGE,
          ...(state === undefined ? {} : { states: [state] }),
          ...(mine === true ? { states: ['pending'] } : {}),
          ...(target === undefined ? {} : { target }),
          ...(before === undefined ? {} : { before: new Date(before) }),
          ...(last === undefined ? {} : { below: last }),
        })
        const shown = rows.filter(sees).map((row) => approvalSummary(row, caller.principal))
        found.push(...(mine === true ? shown.filter(({ yours }) => yours) : shown))
        last = rows.at(-1)
        if (rows.length < PAGE) break
      }
      return { approvals: found.slice(0, limit) }
    }),
  )

  app.get(
    '/api/v1/approvals/watch',
    withPerson(services, WHAT, async (caller, request, reply): Promise<ApprovalEvents> => {
      const { cursor, wait } = readInput(ApprovalWatchQuery, request.query)
      if (watchers >= MAX_WATCHERS) {
        throw new SallyportError('LIMIT_REACHED', 'too many watch for approvals already')
      }
      watchers += 1
      try {
        const sees = visibleTo(services, caller)
        const over = AbortSignal.any([AbortSignal.timeout(wait * 1000), gone(reply)])
        let from = cursor
        for (;;) {
          const { cursor: here, missed, events } = approvals.events.since(from)
          const shown = events.filter(({ approval }) => sees(approval))
          if (cursor === undefined || missed || shown.length > 0 || over.aborted) {
            return {
              cursor: here,
              missed,
              events: shown.map(({ type, approval }) => ({
                type,
                approval: approvalSummary(approval, caller.principal),
              })),
            }
          }
          from = here
          await approvals.events.next(over)
        }
      } finally {
        watchers -= 1
      }
    }),
  )

  app.get(
    '/api/v1/approvals/:id',
    withPerson(services, WHAT, async (caller, request): Promise<ApprovalAnswer> => {
      return await answerOf(await seen(caller, request), caller)
    }),
  )

  app.post(
    '/api/v1/approvals/:id/approve',
    withPerson(services, WHAT, async (caller, request): Promise<ApprovalAnswer> => {
      const { reason, surface, grant } = readInput(ApproveRequest, request.body)
      const { id } = await seen(caller, request)
      const wish = grant === undefined ? {} : { grant: grantWish(grant) }
      const word = { verdict: 'approve', reason, surface, ...wish } as const
      return await answerOf(await approvals.decide(id, caller.principal, word), caller)
    }),
  )

  app.post(
    '/api/v1/approvals/:id/deny',
    withPerson(services, WHAT, async (caller, request): Promise<ApprovalAnswer> => {
      const { reason, surface } = readInput(DenyRequest, request.body)
      const { id } = await seen(caller, request)
      const word = { verdict: 'deny', reason, surface } as const
      return await answerOf(await approvals.decide(id, caller.principal, word), caller)
    }),
  )

  app.post(
    '/api/v1/approvals/:id/revoke',
    withPerson(services, WHAT, async (caller, request): Promise<ApprovalAnswer> => {
      const { reason } = readInput(DenyRequest, request.body)
      const { id } = await seen(caller, request)
      return await answerOf(await approvals.revoke(id, caller.principal, reason), caller)
    }),
  )

  async function seen(caller: Caller, request: FastifyRequest): Promise<Approval> {
    const { id } = readInput(Params, request.params)
    const approval = await approvals.get(id)
    if (approval !== undefined && visibleTo(services, caller)(approval)) return approval
    throw new SallyportError('APPROVAL_UNKNOWN', `there is no request ${id}, or none that you may see`, {
      hint: '`sallyport approvals list` shows those that you may',
    })
  }

  async function answerOf(approval: Approval, caller: Caller): Promise<ApprovalAnswer> {
    const { statement } = approval
    const [similar, formatted] = await Promise.all([
      approvals.similar(approval),
      statement === undefined ? undefined : formatter.format(statement.text),
    ])
    return approvalAnswer(approval, caller.principal, similar, formatted)
  }
}

/** One's own requests and those of one's agents, those that one may decide about, and with leave to view the audit log all. */
function visibleTo(services: ControlServices, caller: Caller): (approval: Approval) => boolean {
  const all = mayAdminister(services, caller, 'viewAudit')
  return (approval) =>
    all || isOwn(caller.principal, approval.principal) || whyNot(approval, caller.principal) === undefined
}

function grantWish(grant: NonNullable<z.output<typeof ApproveRequest>['grant']>): GrantWish {
  const { kind, seconds, maxUses, parameters, anyLiterals } = grant
  return {
    kind,
    seconds,
    ...(maxUses === undefined ? {} : { maxUses }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(anyLiterals === undefined ? {} : { anyLiterals }),
  }
}

/** Aborts when the client has hung up before it was answered. */
function gone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => controller.abort())
  return controller.signal
}
