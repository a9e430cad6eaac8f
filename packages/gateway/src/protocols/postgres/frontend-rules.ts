import { AwaitedAnswers } from './awaited-answers.ts'
import { FrontendBatch } from './frontend-batch.ts'
import type { FrontendSink, FrontendState } from './frontend-state.ts'
import { ReplacedMessages } from './replaced-message.ts'
import { StatementApproval } from './statement-approval.ts'
import { StatementDecisions } from './statement-decision.ts'

/** What the messages of one client are held against, whichever they are. Made once per session. */
export interface FrontendRules {
  readonly state: FrontendState
  readonly batch: FrontendBatch
  readonly answers: AwaitedAnswers
  readonly decisions: StatementDecisions
  readonly replaced: ReplacedMessages
  readonly approval: StatementApproval
}

export function frontendRules(state: FrontendState, sink: FrontendSink): FrontendRules {
  const batch = new FrontendBatch(state.inFlight, state.names)
  const answers = new AwaitedAnswers(state, sink)
  const decisions = new StatementDecisions(state, sink, answers)
  const replaced = new ReplacedMessages(state, batch)
  const approval = new StatementApproval(state, sink, batch, answers, decisions, replaced)
  return { state, batch, answers, decisions, replaced, approval }
}
