import type { SqlReading } from '../sql/reading.ts'

/** To a parser thread: read this. */
export interface ParserQuestion {
  readonly id: number
  readonly text: string
}

/** From a parser thread, one per question; the first one, with id 0, says that it is ready. */
export interface ParserAnswer {
  readonly id: number
  readonly reading?: SqlReading
  /** The parser itself failed (its stack, its memory): the thread must not be used again. */
  readonly failed?: string
}
