import type { Review } from '../ports.ts'
import { visibleText } from '../visible-text.ts'
import { clipped, context, escaped, field, preformatted, principalText, type SlackText } from './message.ts'

/** Slack cuts texts beyond 3,000 characters. Nothing is decided here, so that a part may be shown. */
const MAX_SHOWN = 2800

/** An alarm as a message: what happened, and what people thought of it. Without buttons: it is reviewed where all of it is seen. */
export function alarmMessage(review: Review): SlackText {
  const { id, state, target, rule, purpose, alarms, sessionId } = review
  const [first] = review.statements
  const shown = first?.text === undefined ? undefined : visibleText(first.text)
  const heading = HEADINGS[state]
  const times = alarms === 1 ? 'once' : `${alarms} times`
  return {
    text: `${escaped(heading)}: ${clipped(rule.says)} (${id})`,
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: heading, emoji: false } },
      {
        type: 'section',
        fields: [
          field('Who', principalText(review)),
          field('Target', target),
          field('Did', first?.operations.join(', ') ?? 'connect'),
          field('Alarm', rule.says),
        ],
      },
      ...(shown === undefined
        ? []
        : [preformatted(shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown)]),
      ...(purpose === undefined ? [] : [context(`*Purpose* (reported, not checked): ${clipped(purpose)}`)]),
      ...review.words.map(({ person, verdict, note }) =>
        context(`*${verdict}* by ${clipped(person.id)}: ${clipped(note)}`),
      ),
      context(`${times} · policy ${clipped(rule.policy)} · ${sessionId} · \`sallyport reviews show ${id}\``),
    ],
  }
}

const HEADINGS: Readonly<Record<Review['state'], string>> = {
  open: 'The glass was broken',
  justified: 'The glass was broken: justified',
  unjustified: 'The glass was broken: not justified',
}
