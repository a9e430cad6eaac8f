import { mkdtemp, chmod, realpath, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { startDevIdp } from '../packages/cli/src/dev/idp.ts'
import { findPgbench } from './measure/pgbench.ts'
import { machineLoad } from './measure/process-cost.ts'
import { type Options, readOptions, SECTIONS, type SectionName, USAGE } from './options.ts'
import { type Aim, formatAims, formatTable, progress, type SectionReport } from './report.ts'
import { findPgBouncer } from './rig/pgbouncer.ts'
import type { Rig } from './rig/rig.ts'
import { startTarget } from './rig/target.ts'
import { approval } from './sections/approval.ts'
import { bulk } from './sections/bulk.ts'
import { fairness } from './sections/fairness.ts'
import { listening } from './sections/listening.ts'
import { masking } from './sections/masking.ts'
import { memory } from './sections/memory.ts'
import { micro } from './sections/micro.ts'
import { opening } from './sections/opening.ts'
import { throughput } from './sections/throughput.ts'

const RUN: Readonly<Record<SectionName, (rig: Rig) => Promise<SectionReport>>> = {
  throughput,
  opening,
  bulk,
  masking,
  fairness,
  memory,
  approval,
  listening,
  micro,
}

async function main(options: Options, interrupted: AbortSignal): Promise<boolean> {
  const pgbench = findPgbench()
  if (pgbench === undefined)
    throw new Error('there is no pgbench on this machine: apt-get install postgresql')
  const pgbouncer = findPgBouncer()
  if (pgbouncer === undefined)
    progress('NOT MEASURED: PgBouncer, which is not installed (apt-get install pgbouncer)')
  const load = await machineLoad()
  if (load > 0.1) progress(`others use ${Math.round(load * 100)} % of this machine: expect wide spreads`)

  await using started = new AsyncDisposableStack()
  const place = await mkdtemp(join(await realpath(tmpdir()), 'sallyport-bench-'))
  started.defer(() => rm(place, { recursive: true, force: true }))
  // The store's PostgreSQL runs as another account than root, and must get through.
  await chmod(place, 0o711)
  const needsBulk = ['bulk', 'masking', 'fairness'].some((name) => options.only.has(name as SectionName))
  const target = started.use(await startTarget(pgbench, { bulk: needsBulk }))
  const idp = await startDevIdp({ port: 0, log: () => undefined })
  started.defer(() => idp.close())
  const rig: Rig = { options, target, idp, pgbench, pgbouncer, home: join(place, 'gateway'), interrupted }

  const reports: Partial<Record<SectionName, SectionReport>> = {}
  const failures: string[] = []
  for (const name of SECTIONS) {
    if (!options.only.has(name) || interrupted.aborted) continue
    progress(name)
    try {
      reports[name] = await RUN[name](rig)
    } catch (error) {
      // What the other sections find is worth having all the same.
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
      progress(`FAILED: ${failures.at(-1)}`)
    }
  }
  print(options, load, Object.values(reports), failures)
  if (options.json !== undefined) {
    const raw = Object.fromEntries(Object.entries(reports).map(([name, report]) => [name, report.raw]))
    await writeFile(
      options.json,
      JSON.stringify({ options: { ...options, only: [...options.only] }, load, raw }, null, 1),
    )
  }
  return failures.length === 0 && !interrupted.aborted
}

function print(
  options: Options,
  load: number,
  reports: readonly SectionReport[],
  failures: readonly string[],
): void {
  const machine = `${availableParallelism()} processors (${cpus()[0]?.model ?? '?'}), ${Math.round(totalmem() / 2 ** 30)} GiB`
  console.log(`${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${machine}`)
  console.log(
    `${options.rounds} rounds, pgbench ${options.seconds} s each; others used ${Math.round(load * 100)} % at the start`,
  )
  console.log(
    'client, target, proxies and store share the processors; nothing is synced to disk by the target\n',
  )
  for (const table of reports.flatMap((report) => report.tables)) console.log(formatTable(table))
  const aims: Aim[] = reports.flatMap((report) => report.aims)
  if (aims.length > 0) console.log(formatAims(aims))
  for (const failure of failures) console.log(`NOT MEASURED: ${failure}`)
}

if (process.argv.includes('--help')) console.log(USAGE)
else {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort())
  process.exitCode = (await main(readOptions(process.argv.slice(2)), stopping.signal)) ? 0 : 1
}
