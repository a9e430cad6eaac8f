import type { Approval as ApprovalAnswer, ApprovalParameter, ApprovalSummary } from '@sallyport/api'
import type { Principal } from '../../access/model.ts'
import { mayBeSame, missing, personOf, whyNot } from '../../approvals/may-decide.ts'
import { typeName, valueText } from '../../approvals/parameter-text.ts'
import type { Approval, KeptParameter, KeptStatement, SimilarRequests } from '../../approvals/ports.ts'
import { visibleLine, visibleText, warningsAbout } from '../../approvals/visible-text.ts'
import { principalName } from './principal-answer.ts'

/** Of a statement, in a list. */
const SUMMARY_CHARS = 200

/** A request as `caller` sees it in a list. */
export function approvalSummary(approval: Approval, caller: Principal): ApprovalSummary {
  const { principal, statement, need, reported, decisions } = approval
  const { actingFor } = principal
  const person = personOf(caller)
  return {
    id: approval.id,
    kind: approval.kind,
    state: approval.state,
    target: approval.target,
    database: approval.database,
    principal: {
      ...principalName(principal),
      ...(actingFor === undefined ? {} : { actingFor: principalName(actingFor) }),
    },
    operations: [...(statement?.operations ?? [])].map(visibleLine),
    summary: statement === undefined ? 'connect' : shortened(visibleLine(statement.text)),
    ...(reported.purpose === undefined ? {} : { purpose: visibleLine(reported.purpose) }),
    reason: need.reason,
    policies: [...need.policies],
    rules: missing(need, decisions).map(({ rule, people }) => ({
      policy: rule.policy,
      approvers: [...rule.approvers],
      quorum: rule.quorum,
      missing: people,
    })),
    yours:
      approval.state === 'pending' &&
      whyNot(approval, caller) === undefined &&
      !decisions.some((decision) => mayBeSame(decision.person, person)),
    createdAt: approval.createdAt.toISOString(),
    expiresAt: approval.expiresAt.toISOString(),
    ...(approval.closedAt === undefined ? {} : { closedAt: approval.closedAt.toISOString() }),
    ...(approval.closedBecause === undefined ? {} : { closedBecause: visibleLine(approval.closedBecause) }),
    uses: approval.uses,
  }
}

/** The whole picture. @param formatted the statement laid out, where it could be */
export function approvalAnswer(
  approval: Approval,
  caller: Principal,
  similar: SimilarRequests,
  formatted: string | undefined,
): ApprovalAnswer {
  const { statement, reported, preview, grant, grantedAt, sessionId } = approval
  const { last, ...counts } = similar
  return {
    ...approvalSummary(approval, caller),
    ...(statement === undefined ? {} : { statement: statementAnswer(statement, formatted) }),
    reported: Object.fromEntries(Object.entries(reported).map(([name, said]) => [name, visibleText(said)])),
    ...(preview === undefined ? {} : { preview }),
    decisions: approval.decisions.map(({ person, groups, verdict, reason, surface, at, ...wide }) => ({
      person: person.id,
      groups: [...groups],
      verdict,
      reason: visibleText(reason),
      surface,
      at: at.toISOString(),
      ...(wide.grant === undefined ? {} : { grant: grantAnswer(wide.grant) }),
    })),
    similar: {
      ...counts,
      ...(last === undefined ? {} : { last: { ...last, at: last.at.toISOString() } }),
    },
    ...(grant === undefined ? {} : { grant: grantAnswer(grant) }),
    ...(grantedAt === undefined ? {} : { grantedAt: grantedAt.toISOString() }),
    digest: approval.digest,
    policyVersion: approval.policyVersion,
    ...(sessionId === undefined ? {} : { session: sessionId }),
    via: approval.via,
    sourceIp: approval.sourceIp,
  }
}

function statementAnswer(
  statement: KeptStatement,
  formatted: string | undefined,
): NonNullable<ApprovalAnswer['statement']> {
  const { text, parameters, executes, searchPath, shape } = statement
  return {
    text,
    visible: visibleText(text),
    ...(formatted === undefined ? {} : { formatted: visibleText(formatted) }),
    warnings: [...warningsAbout([text, ...executes.map((one) => one.text)].join('\n'))],
    parameters: parameters.map(parameterAnswer),
    executes: executes.map((one) => ({ name: visibleLine(one.name), visible: visibleText(one.text) })),
    searchPath: searchPath.map(visibleLine),
    hasShape: shape !== undefined,
  }
}

function parameterAnswer(parameter: KeptParameter, i: number): ApprovalParameter {
  const { format, type, value } = parameter
  const name = typeName(type)
  const text = valueText(parameter)
  return {
    number: i + 1,
    ...(name === undefined ? {} : { type: name }),
    format: format === 0 ? 'text' : 'binary',
    ...(text === undefined ? {} : { text: text === null ? null : visibleText(text) }),
    ...(value === null ? {} : { bytes: Buffer.from(value, 'base64').toString('hex') }),
  }
}

function grantAnswer(grant: NonNullable<Approval['grant']>): NonNullable<ApprovalAnswer['grant']> {
  const { kind, seconds, maxUses, parameters, anyLiterals } = grant
  return {
    kind,
    // What the policies' time leaves of it may be a fraction.
    seconds: Math.max(1, Math.round(seconds)),
    ...(maxUses === undefined ? {} : { maxUses }),
    ...(parameters === undefined
      ? {}
      : {
          parameters: parameters.map((bound) =>
            'oneOf' in bound ? { ...bound, oneOf: [...bound.oneOf] } : bound,
          ),
        }),
    ...(anyLiterals === undefined ? {} : { anyLiterals }),
  }
}

function shortened(line: string): string {
  return line.length > SUMMARY_CHARS ? `${line.slice(0, SUMMARY_CHARS)}…` : line
}
