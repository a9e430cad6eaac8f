import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of one or several processes, in microseconds since they began. */
export interface Cpu {
  readonly total: number
  /** The part outside of the kernel, to the nearest 10 ms that the kernel tells. */
  readonly user: number
}

/** What the processes have used, all their threads together (proc(5): schedstat, stat). NaN where there is no /proc. */
export function cpuOf(pids: readonly number[]): Cpu {
  let total = 0
  let user = 0
  for (const pid of pids) {
    try {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        const schedstat = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8')
        total += Number(schedstat.split(' ')[0]) / 1000
      }
      user += Number(statFields(pid)[11]) * 10_000
    } catch {
      // It has ended: what it used is no longer told.
      if (!isLinux()) return { total: Number.NaN, user: Number.NaN }
    }
  }
  return { total, user }
}

/** A process's children, and theirs. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of isLinux() ? readdirSync('/proc') : []) {
    if (!/^\d+$/.test(name)) continue
    try {
      parents.set(Number(name), Number(statFields(Number(name))[1]))
    } catch {
      // It ended while we looked.
    }
  }
  const found: number[] = []
  for (let next = [pid]; next.length > 0; ) {
    next = [...parents].filter(([, parent]) => next.includes(parent)).map(([child]) => child)
    found.push(...next)
  }
  return found
}

/** Resident memory in KiB; NaN where it is not told. */
export function residentKb(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN)
  } catch {
    return Number.NaN
  }
}

/** The gateway looks about so often whether it can fill its store: less quiet than this says nothing. */
const QUIET_MS = 600

/** Waits until the processes have done what they put off (rows that were recorded go to the store later), 15 s at most. */
export async function untilQuiet(pids: () => readonly number[]): Promise<void> {
  let quiet = 0
  for (let waited = 0; quiet < QUIET_MS && waited < 15_000; waited += 100) {
    const before = cpuOf(pids()).total
    await sleep(100)
    const used = cpuOf(pids()).total - before
    quiet = used > 4_000 ? 0 : quiet + 100
  }
}

/** The share of all processors that is in use, over a second: what others do while we measure. */
export async function machineLoad(): Promise<number> {
  const read = (): { idle: number; all: number } => {
    if (!isLinux()) return { idle: Number.NaN, all: Number.NaN }
    const fields =
      readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/).slice(1, 9).map(Number) ?? []
    return { idle: (fields[3] ?? 0) + (fields[4] ?? 0), all: fields.reduce((sum, one) => sum + one, 0) }
  }
  const before = read()
  await sleep(1000)
  const after = read()
  return 1 - (after.idle - before.idle) / (after.all - before.all)
}

/** From the third field on: the second, the name, may hold spaces. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function isLinux(): boolean {
  return process.platform === 'linux'
}
