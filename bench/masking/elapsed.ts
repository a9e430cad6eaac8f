/** Processor time of one run in microseconds, the least of several: a neighbour takes the machine's time, not ours. */
export function elapsed(run: () => void, times = 7): number {
  run()
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < times; i += 1) {
    const before = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}
