import type { types } from '@slack/bolt'
import { missing } from '../may-decide.ts'
import { typeName, valueText } from '../parameter-text.ts'
import type { Approval, KeptStatement } from '../ports.ts'
import { visibleLine, visibleText } from '../visible-text.ts'

export const APPROVE = 'sallyport_approve'
export const DENY = 'sallyport_deny'
export const OPEN = 'sallyport_open'

/**
 * What one message shows whole. Slack cuts texts beyond 3,000 characters, and a part of a statement must not be approved
 * for the whole: longer ones can only be opened elsewhere.
 */
const MAX_SHOWN = 2800
/** Slack's own limit on headers is 150. */
const MAX_HEADER = 140
/** A value of a field; the whole is in `sallyport approvals show`. */
const MAX_FIELD = 300

export interface SlackText {
  /** For notifications and readers of screens. */
  readonly text: string
  readonly blocks: types.KnownBlock[]
}

/** What a button says when it is pressed: which request it was drawn for, and what of it was shown. */
export interface ButtonValue {
  readonly id: string
  readonly digest: string
}

/** A request as a message: whole, with buttons, or, when it is too long, with a link only. After its end without either. */
export function approvalMessage(approval: Approval, publicUrl: string): SlackText {
  const { target, state, need, reported, statement } = approval
  const shown = statement === undefined ? 'connect' : statementText(statement)
  const whole = shown.length <= MAX_SHOWN
  const heading = `${HEADINGS[state]}: ${visibleLine(target)}`.slice(0, MAX_HEADER)
  return {
    text: `${escaped(heading)} (${approval.id})`,
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: heading, emoji: false } },
      {
        type: 'section',
        fields: [
          field('Who', principalText(approval)),
          field('Target', target),
          field('Does', statement?.operations.join(', ') ?? 'opens a connection'),
          field('Why it is asked', need.reason),
        ],
      },
      ...(whole
        ? [preformatted(shown)]
        : [
            context(
              `The statement has ${shown.length} characters, too many to show here. Open it to decide.`,
            ),
          ]),
      ...Object.entries({ Purpose: reported.purpose, Prompt: reported.prompt })
        .filter(([, said]) => said !== undefined)
        .map(([name, said]) => context(`*${name}* (reported, not checked): ${clipped(said ?? '')}`)),
      ...impactBlocks(approval.preview),
      ...decisionBlocks(approval),
      context(footer(approval)),
      ...(state === 'pending' ? [actions(approval, publicUrl, whole)] : []),
    ],
  }
}

/** Whether somebody who sees the message sees all of it. */
export function isShownWhole({ statement }: Approval): boolean {
  return statement === undefined || statementText(statement).length <= MAX_SHOWN
}

/** Slack's control characters (docs.slack.dev, "Formatting message text"): nothing may become a link or a mention. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Literal: in it nothing is markup, so nothing can end it. */
export function preformatted(text: string): types.KnownBlock {
  const elements: types.RichTextPreformatted['elements'] = [{ type: 'text', text }]
  return { type: 'rich_text', elements: [{ type: 'rich_text_preformatted', elements }] }
}

/** The statement with its parameters, as it may be shown. */
export function statementText({ text, parameters, executes, searchPath }: KeptStatement): string {
  const values = parameters.map((parameter, i) => {
    const type = typeName(parameter.type)
    const value = valueText(parameter)
    const shown =
      value === null
        ? 'NULL'
        : value === undefined
          ? `bytes ${Buffer.from(parameter.value ?? '', 'base64').toString('hex')}`
          : `'${visibleText(value)}'`
    return `$${i + 1}${type === undefined ? '' : ` ${type}`} = ${shown}${parameter.format === 0 ? '' : ', binary'}`
  })
  const prepared = executes.map(({ name, text: body }) => `${visibleLine(name)} is: ${visibleText(body)}`)
  const path = searchPath.length === 0 ? [] : [`search path: ${searchPath.map(visibleLine).join(', ')}`]
  return [visibleText(text), ...prepared, ...values, ...path].join('\n')
}

const HEADINGS: Readonly<Record<Approval['state'], string>> = {
  pending: 'Approval needed',
  granted: 'Approved',
  denied: 'Denied',
  expired: 'Expired',
  withdrawn: 'Withdrawn',
  used: 'Approved and run',
}

export function principalText({ principal }: Pick<Approval, 'principal'>): string {
  return principal.actingFor === undefined ? principal.id : `${principal.id} for ${principal.actingFor.id}`
}

/** A name and what it is, clipped. */
export function field(name: string, value: string): types.MrkdwnElement {
  return mrkdwn(`*${name}*\n${clipped(value)}`)
}

/** A line in small letters. @param text already escaped */
export function context(text: string): types.KnownBlock {
  return { type: 'context', elements: [mrkdwn(text)] }
}

/** `verbatim`: what looks like an address or a name is left as it is. */
function mrkdwn(text: string): types.MrkdwnElement {
  return { type: 'mrkdwn', text, verbatim: true }
}

/** On one line, escaped, and short. */
export function clipped(text: string): string {
  const line = visibleLine(text)
  return escaped(line.length > MAX_FIELD ? `${line.slice(0, MAX_FIELD)}…` : line)
}

function impactBlocks(preview: unknown): types.KnownBlock[] {
  if (typeof preview !== 'object' || preview === null) return []
  const parts = Object.entries(preview)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([name, value]) => `${clipped(name)}: ${clipped(String(value))}`)
  return parts.length === 0 ? [] : [context(joined(['*Impact*', ...parts]))]
}

function decisionBlocks({ decisions, closedBecause, state }: Approval): types.KnownBlock[] {
  const said = decisions.map(
    ({ person, verdict, reason }) =>
      `${verdict === 'approve' ? ':white_check_mark:' : ':no_entry:'} ${clipped(person.id)}: ${clipped(reason)}`,
  )
  const end = closedBecause === undefined || state === 'denied' ? [] : [clipped(closedBecause)]
  return [...said, ...end].map(context)
}

function footer({ id, need, decisions, expiresAt, state, digest }: Approval): string {
  const waits = missing(need, decisions)
    .filter(({ people }) => people > 0)
    .map(({ rule, people }) => `${people} of ${rule.approvers.map(clipped).join(', ')}`)
  const seconds = Math.floor(expiresAt.getTime() / 1000)
  const parts = [
    ...(state === 'pending' ? [`needs ${waits.join(' and ')}`] : []),
    `policy ${need.policies.map(clipped).join(', ')}`,
    ...(state === 'pending' || state === 'granted'
      ? [`ends <!date^${seconds}^{time_secs}|${expiresAt.toISOString()}>`]
      : []),
    `${id} · ${digest.slice(0, 12)}`,
  ]
  return joined(parts)
}

/** As many of them as fit. Cutting an escaped text could end within a character's name. */
function joined(parts: readonly string[]): string {
  let text = ''
  for (const part of parts) {
    const next = text === '' ? part : `${text} · ${part}`
    if (next.length > MAX_SHOWN) return `${text} …`
    text = next
  }
  return text
}

function actions({ id, digest }: Approval, publicUrl: string, whole: boolean): types.KnownBlock {
  const value: ButtonValue = { id, digest }
  const button = (action: string, text: string, style: 'primary' | 'danger'): types.Button => ({
    type: 'button',
    action_id: action,
    text: { type: 'plain_text', text },
    style,
    value: JSON.stringify(value),
  })
  const open: types.Button = {
    type: 'button',
    action_id: OPEN,
    text: { type: 'plain_text', text: 'Open' },
    url: `${publicUrl}/approvals/${id}`,
  }
  const decide = [button(APPROVE, 'Approve…', 'primary'), button(DENY, 'Deny…', 'danger')]
  return { type: 'actions', elements: whole ? [...decide, open] : [open] }
}
