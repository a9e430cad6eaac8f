import type { ExplainedDecision, ShownPolicy, Simulation } from '@sallyport/api'
import { visible } from './output.ts'

const SIGNS = { permit: '✓', deny: '✗', approval: '⏸' } as const
const WORDS = { permit: 'permitted', deny: 'denied', approval: 'needs approval' } as const

/** What would be decided, for people: the decision, what it is about, what would be hidden, and the policies' own text. */
export function simulationText(simulation: Simulation): string {
  const { decision, reason, hint, code, approval, alarms, operations, functions, facts, masks, guesses } =
    simulation
  const rows: [string, string][] = []
  if (reason !== undefined) rows.push(['why', reason])
  if (code !== undefined && decision === 'deny') rows.push(['code', code])
  if (hint !== undefined) rows.push(['try', hint])
  for (const { policy, approvers, quorum, ttlSeconds } of approval?.rules ?? []) {
    rows.push(['asks', `${quorum} of ${approvers.join(', ')} within ${ttlSeconds} s (${policy})`])
  }
  for (const alarm of alarms) rows.push(['alarm', alarm])
  for (const { action, on, columns, through, decision: one, policies } of operations) {
    const what = `${SIGNS[one]} ${action}${on === '' ? '' : ` ${on}`}${columnsText(columns)}`
    const way = through === undefined ? '' : `, through ${through}`
    rows.push(['does', `${what}${way}${policies.length === 0 ? '' : `  [${policies.join(', ')}]`}`])
  }
  for (const { name, volatility, harmless } of functions) {
    rows.push(['calls', `${name} (${volatility}${harmless ? '' : ', not known to be harmless'})`])
  }
  const told = Object.entries(facts).filter(([name]) => name !== 'functions')
  rows.push(['facts', told.map(([name, value]) => `${name}=${String(value)}`).join(' ')])
  for (const { columns, hidesTexts } of masks) {
    rows.push(['masks', columns === 'hidden' ? 'every column' : columns.join(' | ') || 'no column'])
    if (hidesTexts) rows.push(['masks', 'texts of errors and notices'])
  }
  if (guesses > 0)
    rows.push(['guesses', `${guesses} comparison${guesses === 1 ? '' : 's'} of masked columns`])
  return `${SIGNS[decision]} ${WORDS[decision]}\n${table(rows)}${policiesText(simulation.policies)}`
}

/** Why a statement was decided as it was, for people. */
export function explainedText(explained: ExplainedDecision): string {
  const { id, at, principal, actingFor, target, text, effect, operations, reason, gone } = explained
  const who = actingFor === undefined ? principal : `${principal} for ${actingFor}`
  const rows: [string, string][] = [
    ['decision', `${id} at ${at}`],
    ['who', `${who} on ${target}`],
    ['sql', text],
    ...operations.map((operation): [string, string] => ['does', operation]),
    ...(reason === undefined ? [] : [['why', reason] as [string, string]]),
    ...gone.map((policy): [string, string] => ['policy', `${policy}, which is in force no more`]),
  ]
  return `${SIGNS[effect]} ${WORDS[effect]}\n${table(rows)}${policiesText(explained.policies)}`
}

function columnsText(columns: readonly string[] | undefined): string {
  return columns === undefined || columns.length === 0 ? '' : ` (${columns.join(', ')})`
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([label]) => label.length))
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${visible(value)}\n`).join('')
}

/** Each with its place and its text, lines kept. */
function policiesText(policies: readonly ShownPolicy[]): string {
  return policies
    .map(({ id, effect, file, line, text }) => {
      const lines = text.split('\n').map((one) => `    ${visible(one.trimEnd())}\n`)
      return `\n  ${effect} ${visible(id)}  ${visible(file)}:${line}\n${lines.join('')}`
    })
    .join('')
}
