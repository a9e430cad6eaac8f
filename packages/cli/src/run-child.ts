import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { CliFailure } from './failure.ts'
import { EXIT } from './exit-codes.ts'
import type { World } from './world.ts'

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const

/**
 * Runs a program with our stdio until it ends, passing on the signals that we get.
 * @param env the program's whole environment
 * @returns its exit code; 128 + n when signal n ended it, as shells say it
 * @throws CliFailure when it cannot be started: 127 in shells, here "usage", since what was typed names no program
 */
export async function runChild(
  world: World,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd: world.cwd, env, stdio: 'inherit' })
  const undo = FORWARDED.map((signal) =>
    world.onSignal(signal, () => {
      // A terminal sends these to every process of the foreground group: the child has them already.
      const fromTerminal = world.stdin.isTTY && ['SIGINT', 'SIGQUIT', 'SIGWINCH'].includes(signal)
      if (!fromTerminal) child.kill(signal)
    }),
  )
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => reject(notStarted(program, error)))
      child.once('exit', (code, signal) =>
        resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]),
      )
    })
  } finally {
    for (const stop of undo) stop()
  }
}

function notStarted(program: string, error: NodeJS.ErrnoException): CliFailure {
  const why = error.code === 'ENOENT' ? 'there is no such program in PATH' : error.message
  return new CliFailure(EXIT.usage, 'COMMAND_NOT_STARTED', `cannot start ${program}`, {
    why,
    hint:
      program === 'psql'
        ? 'install it: apt-get install postgresql-client'
        : 'check the name, or give its full path',
  })
}
