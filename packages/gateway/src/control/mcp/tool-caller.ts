import type { Caller } from '../caller.ts'

/** Who calls a tool, and what their client says about itself (claims, kept as such). */
export interface ToolCaller extends Caller {
  readonly clientName?: string
  /** `X-Agent-Session`: the agent framework's own session. */
  readonly clientSession?: string
}
