import type { ServerContext } from '@modelcontextprotocol/server'

/** Clients give up on a call that is silent for five minutes; only progress counts as a sign of life. */
const EVERY_MS = 15_000

/** While it is not disposed, tells a client that asked for progress that the call is still running. */
export function reportProgress(
  { mcpReq }: ServerContext,
  message: string,
  everyMs: number = EVERY_MS,
): Disposable {
  const progressToken = mcpReq._meta?.progressToken
  if (progressToken === undefined) return { [Symbol.dispose]: () => undefined }
  let progress = 0
  const timer = setInterval(() => {
    progress += 1
    const params = { progressToken, progress, message }
    // A client that is gone ends the call by other ways.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined)
  }, everyMs)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
