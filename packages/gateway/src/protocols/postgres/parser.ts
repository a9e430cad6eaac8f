import type { Catalog } from '../../access/catalog.ts'
import type { CountQuery } from '../sql/count-query.ts'
import type { SqlReading } from '../sql/reading.ts'
import { opaqueReading } from '../sql/reading.ts'
import type { BareNames } from '../sql/search-path.ts'
import type { ParserAnswer } from './parser-answer.ts'
import { ParserThread } from './parser-thread.ts'
import { WaitingStatements } from './statement-queue.ts'
import { refuseText } from './statement-text.ts'

export interface ParserOptions {
  /** Threads; with two, a statement that keeps one busy until its deadline does not hold up other sessions. */
  readonly threads?: number
  /** Milliseconds that one text may take to be read; left out, `DEADLINE_MS`. */
  readonly deadlineMs?: number
  /** Texts that one thread reads before it is replaced, so that no leak in the parser can add up. */
  readonly textsPerThread?: number
}

/** What is to be read, and what its names mean. */
export interface Question {
  readonly text: string
  readonly catalog: Catalog
  readonly names: BareNames
  /** Whose turn it is: sessions are served one after the other. */
  readonly session: string
}

interface Asked extends Question {
  readonly counts: boolean
  /** `count` is there only where it was asked for and found. */
  readonly settle: (reading: SqlReading, count?: CountQuery) => void
}

/** One place for a thread. The thread in it may change. */
interface Seat {
  thread: ParserThread
  isReady: boolean
  asked: { readonly id: number; readonly question: Asked; readonly timer: NodeJS.Timeout } | undefined
  texts: number
  /** Threads that died in a row before they were ready: then it is not the statements' fault. */
  stillborn: number
}

const MAX_STILLBORN = 3

/**
 * Wall time, so what else the machine does counts too. An ordinary text of the greatest size takes 0.1 to 0.6 s on a busy
 * core, and must not be denied for it; hostile ones (comments nested 100,000 deep) take a minute, and each of these keeps
 * a thread from the others for this long.
 */
const DEADLINE_MS = 2_000

/**
 * Reads statements with PostgreSQL's own parser, in threads, because a hostile text can exhaust its stack, poison its
 * memory for all that follow, or keep it busy: a thread that fails at a text is never used again, and one that is late
 * is ended. Whatever goes wrong with a text makes it opaque, and touches no other.
 */
export class StatementReader implements AsyncDisposable {
  readonly #waiting = new WaitingStatements<Asked>()
  readonly #seats: Seat[] = []
  readonly #deadlineMs: number
  readonly #textsPerThread: number
  #nextId = 1
  #isClosed = false

  /** Starts its threads at once, and returns before they are ready; texts wait for them. */
  constructor(options: ParserOptions = {}) {
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS
    this.#textsPerThread = options.textsPerThread ?? 100_000
    for (let n = 0; n < (options.threads ?? 2); n++) this.#seats.push(this.#newSeat())
  }

  /**
   * Reads one simple query, with all statements in it as one reading, or the text of one Parse message. Never rejects.
   */
  read(question: Question): Promise<SqlReading> {
    const refused = this.#isClosed ? 'the gateway is stopping' : refuseText(question.text)
    if (refused !== undefined) return Promise.resolve(opaqueReading(refused))
    return new Promise((settle) => {
      if (!this.#waiting.add({ ...question, counts: false, settle: (reading) => settle(reading) })) {
        settle(opaqueReading('too many statements wait to be read; send it again later'))
      } else this.#deal()
    })
  }

  /** The query that counts the rows which a statement would touch, or why there is none. Never rejects. */
  countQuery(question: Question): Promise<CountQuery> {
    const { promise, resolve } = Promise.withResolvers<CountQuery>()
    const settle = ({ opaqueBecause }: SqlReading, count?: CountQuery): void =>
      resolve(count ?? { kind: 'none', because: opaqueBecause ?? 'it could not be read' })
    if (this.#isClosed) settle(opaqueReading('the gateway is stopping'))
    else if (!this.#waiting.add({ ...question, counts: true, settle })) {
      settle(opaqueReading('too many statements wait to be read'))
    } else this.#deal()
    return promise
  }

  /** Ends the threads. What still waits becomes opaque. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (let next = this.#waiting.next(); next; next = this.#waiting.next()) {
      next.settle(opaqueReading('the gateway is stopping'))
    }
    await Promise.all(
      this.#seats.map((seat) => {
        this.#settle(seat, opaqueReading('the gateway is stopping'))
        return seat.thread.end()
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #newSeat(): Seat {
    const seat: Seat = {
      thread: this.#newThread(() => seat),
      isReady: false,
      asked: undefined,
      texts: 0,
      stillborn: 0,
    }
    return seat
  }

  #newThread(seat: () => Seat): ParserThread {
    return new ParserThread({
      ready: () => {
        seat().isReady = true
        seat().stillborn = 0
        this.#deal()
      },
      answered: (answer) => this.#answered(seat(), answer),
      died: (reason) => this.#died(seat(), reason),
    })
  }

  /** Gives every idle thread a text to read. */
  #deal(): void {
    for (const seat of this.#seats) {
      if (!seat.isReady || seat.asked || this.#isClosed) continue
      const question = this.#waiting.next()
      if (question === undefined) return
      const id = this.#nextId++
      const timer = setTimeout(() => this.#late(seat), this.#deadlineMs)
      seat.asked = { id, question, timer }
      seat.texts++
      seat.thread.ask(id, question.text, question.catalog, question.names, question.counts)
    }
  }

  #settle(seat: Seat, reading: SqlReading, count?: CountQuery): void {
    const asked = seat.asked
    seat.asked = undefined
    if (asked === undefined) return
    clearTimeout(asked.timer)
    asked.question.settle(reading, count)
  }

  #answered(seat: Seat, answer: ParserAnswer): void {
    if (seat.asked?.id !== answer.id) return
    if (answer.failed !== undefined) {
      this.#settle(seat, opaqueReading('it is nested too deeply for the parser'))
      this.#replace(seat)
    } else {
      this.#settle(seat, answer.reading ?? opaqueReading('the parser gave no answer'), answer.count)
      if (seat.texts >= this.#textsPerThread) this.#replace(seat)
      else seat.thread.rest()
    }
    this.#deal()
  }

  #late(seat: Seat): void {
    this.#settle(seat, opaqueReading(`it could not be read within ${this.#deadlineMs} ms`))
    this.#replace(seat)
  }

  #died(seat: Seat, reason: string): void {
    this.#settle(seat, opaqueReading('the parser ran out of memory over it'))
    if (!seat.isReady) seat.stillborn++
    if (seat.stillborn < MAX_STILLBORN) return this.#replace(seat)
    for (let next = this.#waiting.next(); next; next = this.#waiting.next()) {
      next.settle(opaqueReading(`the parser cannot be started (${reason})`))
    }
    // The next statement tries again.
    seat.stillborn = 0
    this.#replace(seat)
  }

  #replace(seat: Seat): void {
    if (this.#isClosed) return
    void seat.thread.end()
    seat.isReady = false
    seat.texts = 0
    seat.thread = this.#newThread(() => seat)
  }
}
