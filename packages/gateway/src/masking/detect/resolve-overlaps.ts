import type { Span } from './span.ts'

/**
 * Of spans that overlap the surest, then the longest. What is left of the others beside it is kept, under their own name:
 * a wrong guess about what something is must not show a part of it.
 * @returns spans in order, none of which overlap
 */
export function resolveOverlaps(spans: readonly Span[]): Span[] {
  if (spans.length < 2) return [...spans]
  const byStart = spans.toSorted((a, b) => a.start - b.start || b.end - a.end)
  const resolved: Span[] = []
  let group: Span[] = []
  let end = -1
  for (const span of byStart) {
    if (span.start >= end && group.length > 0) {
      resolved.push(...within(group))
      group = []
    }
    group.push(span)
    end = Math.max(end, span.end)
  }
  resolved.push(...within(group))
  return resolved
}

/** What sticks out by less than this is punctuation, or tells nothing. */
const LEAST_REST = 4
/** At most so many of one heap are compared with each other: a heap is as large as texts can be made to be. */
const HEAP = 64

function within(group: readonly Span[]): Span[] {
  const [first] = group
  if (first === undefined || group.length === 1) return [...group]
  if (group.length > HEAP) return [{ ...first, end: Math.max(...group.map(({ end }) => end)) }]
  const ranked = group.toSorted((a, b) => b.score - a.score || b.end - b.start - (a.end - a.start))
  const kept: Span[] = []
  for (const span of ranked) {
    // Parts that stick out on both sides of something surer; most have none.
    let parts = [{ start: span.start, end: span.end }]
    for (const { start, end } of kept) {
      parts = parts.flatMap((part) =>
        part.end <= start || part.start >= end
          ? [part]
          : [
              { start: part.start, end: Math.min(part.end, start) },
              { start: Math.max(part.start, end), end: part.end },
            ].filter((rest) => rest.end - rest.start >= LEAST_REST),
      )
    }
    kept.push(...parts.map((part) => ({ ...span, ...part })))
  }
  return kept.toSorted((a, b) => a.start - b.start)
}
