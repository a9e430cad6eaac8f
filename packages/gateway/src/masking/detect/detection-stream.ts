import { resolveOverlaps } from './resolve-overlaps.ts'
import { SafeCuts, WINDOW } from './safe-cuts.ts'
import { CONTEXT } from './span.ts'
import type { Detector, Span } from './span.ts'

/** What stands for a span. */
export type Replace = (span: Span, found: string) => string

/**
 * Replaces what detectors find in a text that comes in pieces. However it is cut into pieces, the output is the same: text is
 * held back until nothing that could follow would change what is found in it, and nothing is ever let go because time passed.
 * At most 32 KB are held back; time is linear in the text.
 */
export class DetectionStream {
  readonly #detectors: readonly Detector[]
  readonly #replace: Replace
  readonly #cuts: SafeCuts
  /** The last of what was let go, for the words before a number, and behind it what is held. */
  #text = ''
  /** Where `#text` begins in the whole text. */
  #offset = 0
  /** Up to here, in the whole text, it was let go. */
  #released = 0
  /** A forced cut that waits for the next one: what reaches across it can be seen up to there. */
  #forced: number | undefined

  constructor(detectors: readonly Detector[], replace: Replace) {
    this.#detectors = detectors
    this.#replace = replace
    this.#cuts = new SafeCuts(detectors.some(({ reach }) => reach === 'lines'))
  }

  /** @returns what can be let go now; often less than what came, sometimes more */
  push(chunk: string): string {
    let output = ''
    // In slices, so that the bound on what is held also holds for one huge piece.
    for (let from = 0; from < chunk.length; from += WINDOW) {
      const slice = chunk.slice(from, from + WINDOW)
      this.#text += slice
      for (const { at, isForced } of this.#cuts.after(slice)) output += this.#cut(at, isForced)
    }
    return output
  }

  /** @returns the rest */
  end(): string {
    return this.#cut(this.#offset + this.#text.length, false)
  }

  #cut(at: number, isForced: boolean): string {
    let output = this.#forced === undefined ? '' : this.#release(this.#forced, at)
    this.#forced = isForced ? at : undefined
    if (!isForced) output += this.#release(at, at)
    return output
  }

  /** Lets go what is before `end`, or before the end of a match that begins before it, with what can be seen up to `visible`. */
  #release(end: number, visible: number): string {
    if (end <= this.#released) return ''
    const text = this.#text.slice(0, visible - this.#offset)
    const limit = end - this.#offset
    let at = this.#released - this.#offset
    let output = ''
    for (const span of resolveOverlaps(this.#detectors.flatMap((detector) => detector.find(text)))) {
      if (span.end <= at || span.start >= limit) continue
      const start = Math.max(at, span.start)
      output +=
        text.slice(at, start) + this.#replace({ ...span, start, end: span.end }, text.slice(start, span.end))
      at = span.end
    }
    const next = Math.max(at, limit)
    output += text.slice(at, next)
    this.#released = this.#offset + next
    const kept = Math.max(0, next - CONTEXT)
    this.#text = this.#text.slice(kept)
    this.#offset += kept
    return output
  }
}

/** The same for a text that is there whole, however long it is. */
export function replaceDetected(text: string, detectors: readonly Detector[], replace: Replace): string {
  const stream = new DetectionStream(detectors, replace)
  return stream.push(text) + stream.end()
}
