import type { FrontendSink, FrontendState } from './frontend-state.ts'

/** That the client is not read further until more answers of the target's have come. */
export class AwaitedAnswers {
  readonly #state: Pick<FrontendState, 'inFlight' | 'copy'>
  readonly #sink: Pick<FrontendSink, 'wait'>
  /** Set while something can only be decided when more of them have come: any, or all. */
  #waiting: { readonly resolve: () => void; readonly all: boolean } | undefined

  constructor(state: Pick<FrontendState, 'inFlight' | 'copy'>, sink: Pick<FrontendSink, 'wait'>) {
    this.#state = state
    this.#sink = sink
  }

  /** @param all that the target has answered everything. Otherwise it is looked again whenever something has come */
  wait(all = false): 'wait' {
    this.#sink.wait(
      new Promise<void>((resolve) => {
        this.#waiting = { resolve, all }
      }),
    )
    return 'wait'
  }

  /** Answers have come. What waited for them looks again whether it can be decided now. */
  came(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    const { inFlight, copy } = this.#state
    if (waiting.all ? !inFlight.isQuiet && !copy.open : inFlight.full && !inFlight.skipping) return
    this.#waiting = undefined
    waiting.resolve()
  }
}
