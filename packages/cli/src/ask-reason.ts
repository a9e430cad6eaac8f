import { createInterface } from 'node:readline/promises'
import { usage } from './failure.ts'
import type { World } from './world.ts'

/**
 * The reason that was typed with the command, or is typed now.
 * @param option by which it is typed with the command
 * @throws CliFailure usage, when there is none and nobody to ask
 */
export async function reasonFor(
  world: World,
  typed: string | undefined,
  question: string,
  option = '--reason',
): Promise<string> {
  const given = typed?.trim() ?? ''
  if (given !== '') return given
  if (typed !== undefined || world.stdin.isTTY !== true) {
    throw usage('a decision needs a reason', `${option} "what you looked at, in a sentence"`)
  }
  const terminal = createInterface({ input: world.stdin, output: world.stderr })
  try {
    const answer = (await terminal.question(`${question} `)).trim()
    if (answer === '') throw usage('a decision needs a reason', 'nothing was decided')
    return answer
  } finally {
    terminal.close()
  }
}
