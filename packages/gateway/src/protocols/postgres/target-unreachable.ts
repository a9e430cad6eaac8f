import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'

/** @param why the step of getting there that failed, and how */
export function unreachable(target: Target, why: string, hint?: string, cause?: unknown): SallyportError {
  const { host, port } = target.address
  return new SallyportError('TARGET_UNREACHABLE', `cannot reach ${target.name} (${host}:${port}): ${why}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Whatever breaks a connection to a target is the target's to answer for; our own errors stay what they are. */
export function asUnreachable(target: Target, step: string, error: unknown): SallyportError {
  if (error instanceof SallyportError) return error
  return unreachable(
    target,
    `${step}: ${error instanceof Error ? reason(error) : 'no reason given'}`,
    undefined,
    error,
  )
}

/** What broke, in words that say it. */
export function reason(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ECONNREFUSED' ? 'connection refused' : error.message
}
