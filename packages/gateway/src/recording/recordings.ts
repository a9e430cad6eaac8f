import type { Journal } from './ports.ts'
import { type RecordingLog, SessionRecording, type SessionStart } from './session-recording.ts'

/** Opens the recordings of sessions over one journal. */
export class Recordings {
  readonly #services: { readonly journal: Journal; readonly log: RecordingLog; readonly now: () => number }

  /** `now`: epoch milliseconds. */
  constructor(services: {
    readonly journal: Journal
    readonly log: RecordingLog
    readonly now?: () => number
  }) {
    this.#services = { journal: services.journal, log: services.log, now: services.now ?? Date.now }
  }

  /**
   * Opens a recording and queues its `start` event. `strict` as the target's `recording` says.
   * @throws SallyportError RECORDING_FAILED
   */
  open(start: SessionStart, strict: boolean): SessionRecording {
    return new SessionRecording(this.#services, start, strict)
  }
}
