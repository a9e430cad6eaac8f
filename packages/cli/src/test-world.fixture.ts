import { PassThrough } from 'node:stream'
import type { World } from './world.ts'

/** A world without a process: nothing to read, output kept. */
export function testWorld(
  env: Record<string, string> = {},
  cwd = '/',
): World & { readonly stdout: PassThrough } {
  return {
    env,
    cwd,
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    nodeVersion: 'v24.0.0',
    onSignal: () => () => {},
    setExitCode: () => {},
  }
}
