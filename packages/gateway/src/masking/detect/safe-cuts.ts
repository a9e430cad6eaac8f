import { LONGEST_KEY, PRIVATE_KEY_EDGE } from './private-key.ts'
import { CONTEXT } from './span.ts'

/** A line without a place to cut at is cut every so often all the same: no match is longer, with what is looked at behind it. */
export const WINDOW = LONGEST_KEY + CONTEXT

/**
 * Groups of letters and digits that one number can be written in: an IBAN has ten at most, some of letters only. So many words
 * after a digit, no number goes on.
 */
const MOST_GROUPS = 11

const MONTH =
  /^(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|january|february|march|april|august)\W*$/i
const LATE_MONTH = /^(?:september|october|november|december)\W*$/i
const LONGEST_WORD = 12

/** A place in the text: nothing after it changes what is found before it. `isForced`: but for matches that reach across. */
export interface Cut {
  readonly at: number
  readonly isForced: boolean
}

/**
 * Where a text may be cut so that no match is cut: after a line break outside of private keys; and, where no detector looks
 * for phrases, after white space that no number can go on across. It looks at each character once, and says the same however
 * the text comes in pieces.
 */
export class SafeCuts {
  readonly #byLine: boolean
  #at = 0
  #lastCut = 0
  /** Words since the last one that can be part of a number; what cannot go on at all counts as many. */
  #words = MOST_GROUPS
  #word = ''
  #wordHasDigit = false
  #lastCharacter = 0
  #dashes = 0
  /** The line from its first five dashes on: a private key may begin or end in it. */
  #dashedLine: string | undefined
  /** Up to here a private key that has begun may go. */
  #keyUntil = 0

  /** @param byLine only at line breaks: some detector finds phrases */
  constructor(byLine: boolean) {
    this.#byLine = byLine
  }

  /** Positions in the whole text, in order. Of safe cuts with none forced between them the last stands for all. */
  after(chunk: string): Cut[] {
    const cuts: Cut[] = []
    for (let i = 0; i < chunk.length; i += 1) {
      const code = chunk.charCodeAt(i)
      this.#at += 1
      const isSafe = code <= 0x20 ? this.#whiteSpace(code) : this.#character(code, chunk, i)
      if (isSafe) this.#add(cuts, false)
      else if (this.#at - this.#lastCut >= WINDOW) this.#add(cuts, true)
    }
    return cuts
  }

  #add(cuts: Cut[], isForced: boolean): void {
    this.#lastCut = this.#at
    const cut = { at: this.#at, isForced }
    // The first one after a forced cut tells how far its window is looked at.
    if (!isForced && cuts.at(-1)?.isForced === false && cuts.at(-2)?.isForced !== true)
      cuts[cuts.length - 1] = cut
    else cuts.push(cut)
  }

  #character(code: number, chunk: string, i: number): false {
    if (code >= 0x30 && code <= 0x39) this.#wordHasDigit = true
    if (this.#word.length < LONGEST_WORD) this.#word += chunk.charAt(i)
    this.#lastCharacter = code
    this.#dashes = code === 0x2d ? this.#dashes + 1 : 0
    if (this.#dashedLine !== undefined) this.#dashedLine += chunk.charAt(i)
    else if (this.#dashes === 5) this.#dashedLine = '-----'
    return false
  }

  #whiteSpace(code: number): boolean {
    this.#endWord()
    this.#dashes = 0
    if (this.#dashedLine !== undefined && code !== 0x0a) this.#dashedLine += ' '
    if (code === 0x0a) {
      this.#words = MOST_GROUPS
      if (this.#dashedLine !== undefined) this.#readDashedLine(this.#dashedLine)
      this.#dashedLine = undefined
      return this.#at >= this.#keyUntil
    }
    const isWhite = code === 0x20 || code === 0x09 || code === 0x0d
    return (
      isWhite &&
      !this.#byLine &&
      this.#words >= MOST_GROUPS &&
      this.#dashedLine === undefined &&
      this.#at >= this.#keyUntil
    )
  }

  #endWord(): void {
    if (this.#word === '') return
    if (!goesOn(this.#lastCharacter)) this.#words = MOST_GROUPS
    else if (this.#wordHasDigit || MONTH.test(this.#word) || LATE_MONTH.test(this.#word)) this.#words = 0
    else this.#words += 1
    this.#word = ''
    this.#wordHasDigit = false
  }

  #readDashedLine(line: string): void {
    const start = this.#at - 1 - line.length
    for (const { index, 1: edge } of line.matchAll(PRIVATE_KEY_EDGE)) {
      if (edge === 'END') this.#keyUntil = 0
      else if (start + index >= this.#keyUntil) this.#keyUntil = start + index + LONGEST_KEY
    }
  }
}

/** Whether a number may go on in the next word after a word that ends so: letters, digits, and what stands between groups. */
function goesOn(code: number): boolean {
  const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a
  return (
    isLetter ||
    (code >= 0x30 && code <= 0x39) ||
    '-.()/,\\+'.includes(String.fromCharCode(code)) ||
    code > 0x7f
  )
}
