import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'

/** The account a server process runs under. Undefined ids: the same as ours. */
export interface RunAs {
  readonly uid?: number
  readonly gid?: number
}

/** What a finished command said. `code` is undefined when it could not be started at all; `stderr` then says why. */
export interface Finished {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Enough of a command's output to say why it failed. */
const MAX_OUTPUT = 16_384

/**
 * PostgreSQL refuses to run as root, rightly. As root this is the `postgres` account where there is one, else `nobody`;
 * for anybody else it is themselves.
 */
export function unprivilegedUser(passwd: string = readPasswd()): RunAs {
  if (!isRoot()) return {}
  const accounts = new Map(
    passwd.split('\n').map((line) => {
      const [name = '', , uid, gid] = line.split(':')
      return [name, { uid: Number(uid), gid: Number(gid) }] as const
    }),
  )
  const account = accounts.get('postgres') ?? accounts.get('nobody')
  if (account === undefined || !(account.uid > 0)) {
    throw new Error('PostgreSQL cannot run as root, and there is neither an account "postgres" nor "nobody"')
  }
  return account
}

export function isRoot(): boolean {
  return userInfo().uid === 0
}

/** Runs a command to its end as the given account, in a bare environment: nothing of ours is inherited. */
export function run(command: string, args: readonly string[], as: RunAs): Promise<Finished> {
  return new Promise((resolve) => {
    const output = { stdout: '', stderr: '' }
    const child = spawn(command, [...args], { ...as, cwd: '/', env: bareEnvironment(), stdio: 'pipe' })
    child.stdin.end()
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-MAX_OUTPUT)
      })
    }
    child.once('error', (error) => resolve({ code: undefined, stdout: '', stderr: error.message }))
    child.once('close', (code, signal) =>
      resolve({ code: code ?? -1, ...output, ...(signal === null ? {} : { stderr: `ended by ${signal}` }) }),
    )
  })
}

/** Whether that account can go into the directory and make files there. Asked of the system, so that ACLs count too. */
export async function canWrite(directory: string, as: RunAs): Promise<boolean> {
  const asked = await run('/bin/sh', ['-c', 'test -x "$0" && test -w "$0"', directory], as)
  return asked.code === 0
}

/** No `PG…` variable, no secret and no locale of the caller reaches the server. */
export function bareEnvironment(): Record<string, string> {
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
}

function readPasswd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8')
  } catch {
    return ''
  }
}
