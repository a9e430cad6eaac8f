import { createHash } from 'node:crypto'
import type { AccessContext, Principal } from './model.ts'

/** Of a statement's text, in an alarm: people recognise it by this, and the recording has the whole. */
const MAX_TEXT = 4096
const MAX_OPERATIONS = 100

/** A policy with `@alarm`: what it says, and who looks at it afterwards. */
export interface AlarmRule {
  readonly policy: string
  /** The words of `@alarm`. */
  readonly says: string
  /** The groups of `@reviewers`. Empty: none is named, and whoever policy permits `viewAudit` reviews. */
  readonly reviewers: readonly string[]
}

/** Everything that whoever reviews an alarm needs to know. It is journalled before what it is about happens. */
export interface RaisedAlarm {
  readonly rules: readonly (AlarmRule & { readonly review: string })[]
  readonly principal: Principal
  readonly via: AccessContext['via']
  readonly sourceIp: string
  /** As the client said. */
  readonly purpose?: string
  /** Left out: it is about the connection. `cut`: it is longer than this. */
  readonly statement?: { readonly text: string; readonly cut: boolean }
  readonly operations: readonly string[]
}

/**
 * An alarm as it is kept.
 * @param statement its text; undefined for a connection
 */
export function raisedAlarm(
  rules: readonly AlarmRule[],
  sessionId: string,
  around: Omit<RaisedAlarm, 'rules' | 'statement'>,
  statement: string | undefined,
): RaisedAlarm {
  const cut = statement !== undefined && statement.length > MAX_TEXT
  return {
    ...around,
    operations: around.operations.slice(0, MAX_OPERATIONS),
    rules: rules.map((rule) => ({ ...rule, review: reviewId(sessionId, rule) })),
    ...(statement === undefined ? {} : { statement: { text: statement.slice(0, MAX_TEXT), cut } }),
  }
}

/**
 * The entry under which alarms of one session and one policy are reviewed together: known before it is stored, so that
 * everybody who is told of the alarm is told its name. A policy that says something else, or names others, has another.
 */
export function reviewId(sessionId: string, { policy, says, reviewers }: AlarmRule): string {
  const hash = createHash('sha256').update(JSON.stringify([sessionId, policy, says, reviewers]))
  return `rev_${hash.digest('hex').slice(0, 24)}`
}
