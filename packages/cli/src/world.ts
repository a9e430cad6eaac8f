import type { Readable, Writable } from 'node:stream'

/** What the process gives to the commands. `main.ts` fills it from `process`; nothing else reads that. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  /** `process.version`, `v24.1.0`. */
  readonly nodeVersion: string
  /** Calls `handler` for every such signal, in place of the default, until the returned function is called. */
  onSignal(signal: NodeJS.Signals, handler: () => void): () => void
  /** The process ends with this code, once there is nothing left to do. */
  setExitCode(code: number): void
}

/** Writes one line to stderr: everything that is not the data that was asked for. */
export function tell(world: World, line: string): void {
  world.stderr.write(`${line}\n`)
}

/** Writes to stdout and waits until it has been taken, so that a slow reader slows us down and not our memory up. */
export async function print(world: World, text: string): Promise<void> {
  if (world.stdout.write(text)) return
  await new Promise<void>((resolve) => {
    world.stdout.once('drain', resolve)
    world.stdout.once('close', resolve)
  })
}
