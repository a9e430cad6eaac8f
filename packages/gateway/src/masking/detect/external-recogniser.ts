import { SallyportError } from '../../access/errors.ts'
import type { Entity, Span } from './span.ts'

/** A recogniser outside of the gateway that speaks the API of Presidio's analyzer. */
export interface ExternalRecogniser {
  /** Where it is, without the path: `http://127.0.0.1:5002`. */
  readonly url: URL
  readonly language: string
  /** Of what it says, only what it is so sure of. */
  readonly leastScore: number
  readonly timeoutMs: number
  /**
   * When it cannot be reached, answers late or wrong. `refuse`: the text does not go out. `without`: it goes out with what our
   * own detectors found.
   */
  readonly onFailure: 'refuse' | 'without'
}

/** Longer texts are not sent: the analyzer's models take memory in proportion. */
const LONGEST_TEXT = 100_000
/** An answer names each span in about 150 bytes. */
const LONGEST_ANSWER = 4 * 1024 * 1024

/** Presidio's types by our names; what is not here is `custom`. */
const ENTITIES: Readonly<Record<string, Entity>> = {
  PERSON: 'person',
  LOCATION: 'location',
  GPE: 'location',
  ORGANIZATION: 'organization',
  EMAIL_ADDRESS: 'email',
  PHONE_NUMBER: 'phone',
  CREDIT_CARD: 'card',
  IBAN_CODE: 'iban',
  US_SSN: 'us-ssn',
  US_DRIVER_LICENSE: 'driver-license',
  IP_ADDRESS: 'ip-address',
  URL: 'url',
  DATE_TIME: 'date',
  AGE: 'age',
}

/**
 * Asks `POST /analyze`. For samples and texts that wait anyway, never for every cell of a result.
 * @returns its spans; with `onFailure: 'without'`, `'unavailable'` in place of them when it failed
 * @throws SallyportError TARGET_UNREACHABLE when it failed and the text must not go out without it
 */
export async function recognise(
  recogniser: ExternalRecogniser,
  text: string,
  signal: AbortSignal,
): Promise<readonly Span[] | 'unavailable'> {
  try {
    if (text.length > LONGEST_TEXT) throw new Error(`the text has more than ${LONGEST_TEXT} characters`)
    const answer = await fetch(new URL('/analyze', recogniser.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text, language: recogniser.language, score_threshold: recogniser.leastScore }),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(recogniser.timeoutMs)]),
    })
    if (!answer.ok) throw new Error(`it answered ${answer.status}`)
    return spansOf(JSON.parse(await boundedText(answer)), text, recogniser.leastScore)
  } catch (cause) {
    if (recogniser.onFailure === 'without') return 'unavailable'
    throw new SallyportError('TARGET_UNREACHABLE', 'the external recogniser did not answer as it should', {
      hint: 'see that it runs and is reachable from the gateway; what it has not looked at is not let through',
      cause,
    })
  }
}

/** Texts are sent together, so far as they fit: an analyzer takes longer for a request than for a text. */
const TOGETHER = 20_000

/**
 * The same for many short texts.
 * @returns the spans in each of them; a span that reaches over two is in neither
 */
export async function recogniseEach(
  recogniser: ExternalRecogniser,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<readonly (readonly Span[])[] | 'unavailable'> {
  const found: (readonly Span[])[] = []
  for (let from = 0; from < texts.length; ) {
    let to = from
    let length = 0
    while (to < texts.length && (to === from || length + (texts[to]?.length ?? 0) <= TOGETHER)) {
      length += (texts[to]?.length ?? 0) + 1
      to += 1
    }
    const some = texts.slice(from, to)
    const spans = await recognise(recogniser, some.join('\n'), signal)
    if (spans === 'unavailable') return spans
    let start = 0
    for (const text of some) {
      const end = start + text.length
      const base = start
      found.push(
        spans
          .filter((span) => span.start >= base && span.end <= end)
          .map((span) => ({ ...span, start: span.start - base, end: span.end - base })),
      )
      start = end + 1
    }
    from = to
  }
  return found
}

async function boundedText(answer: Response): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > LONGEST_ANSWER) throw new Error('its answer is too long')
  }
  return text + decoder.decode()
}

/** Presidio counts code points, as Python does; we count UTF-16 units. An answer that does not fit the text is no answer. */
function spansOf(answer: unknown, text: string, leastScore: number): Span[] {
  if (!Array.isArray(answer)) throw new Error('its answer is no list')
  const units = unitOffsets(text)
  return answer.flatMap((found: unknown) => {
    const { entity_type, start, end, score } = Object(found) as Record<string, unknown>
    const from = typeof start === 'number' ? units[start] : undefined
    const to = typeof end === 'number' ? units[end] : undefined
    if (
      typeof entity_type !== 'string' ||
      typeof score !== 'number' ||
      from === undefined ||
      to === undefined
    ) {
      throw new Error('its answer has a span that does not fit the text')
    }
    if (from >= to || score < leastScore) return []
    return [
      {
        entity: ENTITIES[entity_type] ?? 'custom',
        rule: `presidio ${entity_type}`,
        start: from,
        end: to,
        score,
      },
    ]
  })
}

/** Where each code point begins, and where the text ends. */
function unitOffsets(text: string): readonly number[] {
  const offsets = [0]
  for (const character of text) offsets.push((offsets.at(-1) ?? 0) + character.length)
  return offsets
}
