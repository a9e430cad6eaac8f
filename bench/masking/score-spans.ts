/** A labelled piece of a text, by its type. */
export interface TypedSpan {
  readonly type: string
  readonly start: number
  readonly end: number
}

export interface Sample {
  readonly text: string
  readonly gold: readonly TypedSpan[]
  readonly found: readonly TypedSpan[]
}

/** Counts of one type, or of several together. */
export interface Score {
  readonly gold: number
  readonly found: number
  readonly recalled: number
  readonly right: number
}

/**
 * `published`: as presidio-research's SpanEvaluator counts, all spans of one type in a text taken as one from the first to the
 * last, which is what its adjacency test comes to. `fixed`: only spans with nothing but white space and punctuation between
 * them are one.
 */
export type Scorer = 'published' | 'fixed'

/** Two spans are the same when they share at least this part of what they cover together. */
const IOU = 0.9

/** Compares what was found with what is labelled, type by type. A label counts as found by all spans of its type that touch it. */
export function score(samples: readonly Sample[], type: string, scorer: Scorer): Score {
  const sum = { gold: 0, found: 0, recalled: 0, right: 0 }
  for (const { text, gold, found } of samples) {
    const ofType = (spans: readonly TypedSpan[]): TypedSpan[] =>
      joined(
        spans.filter((span) => span.type === type),
        text,
        scorer,
      )
    const wanted = ofType(gold)
    const got = ofType(found)
    sum.gold += wanted.length
    sum.found += got.length
    sum.recalled += wanted.filter((span) => matches(span, got)).length
    sum.right += got.filter((span) => matches(span, wanted)).length
  }
  return sum
}

/** Adds scores of several types: every span counts the same. */
export function total(scores: readonly Score[]): Score {
  const add = (of: (score: Score) => number): number => scores.reduce((sum, one) => sum + of(one), 0)
  return {
    gold: add(({ gold }) => gold),
    found: add(({ found }) => found),
    recalled: add(({ recalled }) => recalled),
    right: add(({ right }) => right),
  }
}

export function precision({ right, found }: Score): number {
  return found === 0 ? 1 : right / found
}

export function recall({ recalled, gold }: Score): number {
  return gold === 0 ? 1 : recalled / gold
}

/** F with recall counting twice as much as precision (van Rijsbergen's β = 2). */
export function f2(score: Score): number {
  const [p, r] = [precision(score), recall(score)]
  return p + r === 0 ? 0 : (5 * p * r) / (4 * p + r)
}

/** The part of the labelled texts that stays readable: characters of labels that no span of any type covers. */
export function leaked(samples: readonly Sample[], type: string): number {
  const labels = samples.flatMap(({ text, gold, found }) =>
    gold.filter((span) => span.type === type).map((span) => ({ text, span, found })),
  )
  const open = labels.filter(({ text, span, found }) => {
    for (let at = span.start; at < span.end; at += 1) {
      const isCovered = found.some(({ start, end }) => start <= at && at < end)
      if (!isCovered && /[\p{L}\p{N}]/u.test(text.charAt(at))) return true
    }
    return false
  })
  return labels.length === 0 ? 0 : open.length / labels.length
}

function matches(span: TypedSpan, others: readonly TypedSpan[]): boolean {
  const touching = others.filter((other) => other.start < span.end && span.start < other.end)
  const shared = touching.reduce(
    (sum, other) => sum + Math.min(span.end, other.end) - Math.max(span.start, other.start),
    0,
  )
  const covered =
    touching.reduce((sum, other) => sum + other.end - other.start, span.end - span.start) - shared
  return shared / covered >= IOU
}

function joined(spans: readonly TypedSpan[], text: string, scorer: Scorer): TypedSpan[] {
  const result: TypedSpan[] = []
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    const areOne =
      last !== undefined &&
      (scorer === 'published' || /^[\s\p{P}]*$/u.test(text.slice(last.end, Math.max(last.end, span.start))))
    if (areOne) result[result.length - 1] = { ...last, end: Math.max(last.end, span.end) }
    else result.push(span)
  }
  return result
}
