import type { Approval, ApprovalParameter, ApprovalSummary } from '@sallyport/api'
import { duration } from './humane.ts'
import { visible } from './output.ts'
import { principalText } from './principal-text.ts'

/** Everything that somebody has to see before they decide, for a terminal. */
export function approvalPicture(approval: Approval, now: number): string {
  const { statement, reported, similar } = approval
  const where = approval.database === approval.target ? '' : `, database ${visible(approval.database)}`
  const head = [
    `${approval.id}  ${stateText(approval, now)}`,
    row('who', `${principalText(approval.principal)}, from ${approval.sourceIp} by ${approval.via}`),
    row('where', `${visible(approval.target)}${where}`),
    row('does', approval.operations.map(visible).join(', ') || 'opens a connection'),
    row('why asked', `${visible(approval.reason)} (${approval.policies.map(visible).join(', ')})`),
    ...approval.rules.map((rule) =>
      row('needs', `${rule.quorum} of ${rule.approvers.map(visible).join(', ')}; ${rule.missing} more`),
    ),
    ...Object.entries(reported).flatMap(([name, said]) =>
      said === undefined ? [] : [row(REPORTED[name] ?? name, `${lines(said)} (reported, not checked)`)],
    ),
    ...(approval.session === undefined ? [] : [row('session', approval.session)]),
  ]
  const text =
    statement === undefined
      ? []
      : [
          '',
          'This runs, exactly:',
          ...boxed(statement.visible),
          ...statement.executes.flatMap(({ name, visible: text }) => [
            `  where ${visible(name)} is:`,
            ...boxed(text),
          ]),
          ...statement.warnings.map((warning) => `  ⚠ ${visible(warning)}`),
          ...statement.parameters.map((parameter) => `  ${parameterText(parameter)}`),
          ...(statement.searchPath.length === 0
            ? []
            : [row('search path', statement.searchPath.map(visible).join(', '))]),
          ...(statement.formatted === undefined || statement.formatted === statement.visible
            ? []
            : ['', 'Laid out for reading (not what runs):', ...boxed(statement.formatted)]),
        ]
  const decided = approval.decisions.map(({ person, groups, verdict, reason, surface, at }) => {
    const said = verdict === 'approve' ? 'approved' : 'denied'
    return row(
      said,
      `${visible(person)} (${groups.map(visible).join(', ')}, by ${surface}, ${at}): ${lines(reason)}`,
    )
  })
  return `${[
    ...head,
    ...text,
    ...previewLines(approval.preview),
    '',
    row('similar', similarText(similar)),
    ...decided,
    ...(approval.grant === undefined ? [] : [row('grant', JSON.stringify(approval.grant))]),
    row('digest', `${approval.digest.slice(0, 16)}…  policies ${approval.policyVersion.slice(0, 8)}`),
  ].join('\n')}\n`
}

/** `pending, 4m 12s left`, `denied: bo denied it: too wide`. */
export function stateText(approval: ApprovalSummary, now: number): string {
  const { state, kind, expiresAt, closedBecause } = approval
  if (state === 'pending' || state === 'granted') {
    const left = Date.parse(expiresAt) - now
    const what = kind === 'statement' ? state : `${state} (${kind})`
    return `${what}, ${left > 0 ? `${duration(left)} left` : 'overdue'}`
  }
  return closedBecause === undefined ? state : `${state}: ${visible(closedBecause)}`
}

const REPORTED: Readonly<Record<string, string>> = {
  purpose: 'purpose',
  prompt: 'prompt',
  toolUseId: 'tool call',
  clientSession: 'agent session',
  clientName: 'client',
}

const LABEL_WIDTH = 13

function row(label: string, value: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)} ${value}`
}

/** With a bar before each line, so that no text can pass for ours. */
function boxed(text: string): string[] {
  return text.split('\n').map((line) => `  │ ${visible(line)}`)
}

function lines(text: string): string {
  return text
    .split('\n')
    .map(visible)
    .join(`\n${' '.repeat(LABEL_WIDTH + 3)}`)
}

function parameterText({ number, type, format, text, bytes }: ApprovalParameter): string {
  const typed = type === undefined ? '' : ` ${type}`
  const binary = format === 'binary' ? ', sent as binary' : ''
  if (text === null) return `$${number}${typed} = NULL`
  const value = text === undefined ? `bytes ${bytes ?? ''}` : `'${lines(text)}'`
  return `$${number}${typed} = ${value}${binary}`
}

function previewLines(preview: unknown): string[] {
  if (typeof preview !== 'object' || preview === null) return []
  const entries = Object.entries(preview).map(([name, value]) => row(visible(name), previewValue(value)))
  return ['', 'Impact, as far as it can be told before:', ...entries]
}

function previewValue(value: unknown): string {
  if (typeof value === 'string') return lines(value)
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) {
    return value.length === 0 ? 'none' : value.map(lines).join(`\n${' '.repeat(LABEL_WIDTH + 3)}`)
  }
  return visible(JSON.stringify(value) ?? '')
}

function similarText({ total, granted, denied, expired, last }: Approval['similar']): string {
  if (total === 0) return 'none in the last 30 days'
  const latest = last === undefined ? '' : `; the last, ${last.id}, is ${last.state}`
  return `${total} in the last 30 days: ${granted} approved, ${denied} denied, ${expired} expired${latest}`
}
