import type { Review } from '@sallyport/api'
import { ago } from './humane.ts'
import { visible } from './output.ts'
import { principalText } from './principal-text.ts'

/** Everything that somebody has to see before they say what they think of it, for a terminal. */
export function reviewPicture(review: Review, now: number): string {
  const { purpose, reviewers } = review
  const listed = review.statements.reduce((sum, { count }) => sum + count, 0)
  const more = review.alarms - listed
  return `${[
    `${review.id}  ${review.state}`,
    row('alarm', `${visible(review.alarm)} (${visible(review.policy)})`),
    row('who', `${principalText(review.principal)}, from ${review.sourceIp} by ${review.via}`),
    row('where', visible(review.target)),
    row('session', review.session),
    ...(purpose === undefined ? [] : [row('purpose', `${visible(purpose)} (reported, not checked)`)]),
    row('alarms', `${review.alarms}, the last ${ago(Date.parse(review.lastAt), now)}`),
    row(
      'reviewers',
      reviewers.length === 0
        ? 'whoever may view the audit log'
        : reviewers.map((group) => visible(group)).join(', '),
    ),
    ...review.statements.flatMap(statementLines),
    ...(more > 0 ? ['', `  and ${more} more; the session has all of them`] : []),
    ...review.words.flatMap(({ person, verdict, note, at, alarms }) => [
      '',
      `  ${visible(person)}: ${verdict} ${ago(Date.parse(at), now)}, after ${alarms} alarms`,
      ...note.split('\n').map((line) => `  │ ${visible(line)}`),
    ]),
  ].join('\n')}\n`
}

/** With a bar before each line, so that no text can pass for ours. */
function statementLines({ text, cut, operations, count }: Review['statements'][number]): string[] {
  const times = count === 1 ? '' : `  (${count} times)`
  return [
    '',
    `  ${operations.map((operation) => visible(operation)).join(', ')}${times}`,
    ...(text === undefined ? [] : text.split('\n').map((line) => `  │ ${visible(line)}`)),
    ...(cut ? ['  … and more; the session has all of it'] : []),
  ]
}

function row(label: string, value: string): string {
  return `  ${label.padEnd(10)} ${value}`
}
