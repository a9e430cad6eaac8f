import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import type { FileProblem, SimulateRequest } from '@sallyport/api'
import { contextOf, withGatewayOptions, withOutputOption } from '../command-context.ts'
import { CliFailure, usage } from '../failure.ts'
import { EXIT } from '../exit-codes.ts'
import { loadGateway } from '../gateway-module.ts'
import { listText, thingText, visible, type Column } from '../output.ts'
import { explainedText, simulationText } from '../policy-picture.ts'
import { formatOf, hasGateway, type GlobalOptions } from '../settings.ts'
import { print, tell, type World } from '../world.ts'
import { resourceFiles } from './apply.ts'

const HERE = './resources'

interface SimulateOptions extends GlobalOptions {
  readonly as?: string
  readonly groups?: string
  readonly for?: string
  readonly forGroups?: string
  readonly on: string
  readonly via?: 'postgres' | 'mcp' | 'api'
  readonly purpose?: string
  readonly time?: string
  readonly approvedBy?: string
  readonly approvedGroups?: string
}

export function policyCommand(world: World): Command {
  const lint = new Command('lint')
    .description('look for mistakes: offline, and with what targets hold where a gateway is reached')
    .argument('[directory]', 'the resources', HERE)
    .action((directory: string, options: GlobalOptions) => lintDirectory(world, directory, options))

  const test = new Command('test')
    .description('run the cases beside the policies (kind: PolicyTest); needs no gateway')
    .argument('[directory]', 'the resources', HERE)
    .action((directory: string, options: GlobalOptions) => testDirectory(world, directory, options))

  const simulate = new Command('simulate')
    .description('what would be decided on a statement, and why; nothing runs')
    .argument('<sql>', 'the statement')
    .requiredOption('--on <target>', 'the target')
    .option('--as <who>', 'user:ana, agent:insight-agent, service:etl; you when left out')
    .option('--groups <names>', 'groups of that one, separated by commas')
    .option('--for <who>', 'the person that it acts for')
    .option('--for-groups <names>', 'groups of that person')
    .addOption(
      new Option('--via <way>', 'how it comes in').choices(['postgres', 'mcp', 'api']).default('postgres'),
    )
    .option('--purpose <text>', 'as said when the ticket was asked for')
    .option('--time <when>', 'as if it were then, 2026-03-04T10:30:00Z')
    .option('--approved-by <names>', 'as if these people had approved')
    .option('--approved-groups <names>', 'the groups by which they were entitled to')
    .action((sql: string, options: SimulateOptions) => simulateSql(world, sql, options))

  const explain = new Command('explain')
    .description('why a statement was decided as it was, from its recording')
    .argument('<decision>', '<session>.<number>, as `sallyport sessions show` lists them')
    .action((id: string, options: GlobalOptions) => explainDecision(world, id, options))

  return new Command('policy')
    .description('work on policies: lint, test, simulate, explain')
    .addCommand(withOutputOption(withGatewayOptions(lint)))
    .addCommand(withOutputOption(test))
    .addCommand(withOutputOption(withGatewayOptions(simulate)))
    .addCommand(withOutputOption(withGatewayOptions(explain)))
}

async function lintDirectory(world: World, directory: string, options: GlobalOptions): Promise<void> {
  const files = await resourceFiles(resolve(world.cwd, directory))
  const { lintFiles, ResourcesInvalid } = await loadGateway()
  let findings: readonly FileProblem[]
  let invalid = false
  try {
    findings = lintFiles(files).map(placed)
  } catch (thrown) {
    if (!(thrown instanceof ResourcesInvalid)) throw thrown
    findings = thrown.problems.map(placed)
    invalid = true
  }
  let looked: readonly string[] = []
  if (!invalid && (await hasGateway(world, options))) {
    const { api } = await contextOf(world, options)
    try {
      const report = await api.policy.lint({ files })
      findings = report.findings
      looked = report.catalogs
    } catch (thrown) {
      tell(world, `names were not compared with what targets hold: ${(thrown as Error).message}`)
    }
  }
  await print(world, findingsText(findings, options))
  if (findings.length > 0) {
    const what = invalid ? 'they cannot be applied' : 'they can be applied, and may not do what is meant'
    throw new CliFailure(EXIT.usage, 'RESOURCE_INVALID', `${count(findings.length, 'finding')}: ${what}`)
  }
  const how = looked.length === 0 ? '' : `, compared with what ${looked.join(', ')} holds`
  tell(world, `${count(files.length, 'file')}: nothing found${how}`)
}

async function testDirectory(world: World, directory: string, options: GlobalOptions): Promise<void> {
  const files = await resourceFiles(resolve(world.cwd, directory))
  const { ResourcesInvalid, testResources } = await loadGateway()
  const results = await testResources(files).catch((thrown: unknown) => {
    if (!(thrown instanceof ResourcesInvalid)) throw thrown
    tell(world, findingsText(thrown.problems.map(placed), { output: 'table' }).trimEnd())
    throw new CliFailure(EXIT.usage, 'RESOURCE_INVALID', 'the resources have mistakes', {
      hint: 'sallyport policy lint lists them',
    })
  })
  const failed = results.filter(({ differences }) => differences.length > 0)
  const human = results
    .map(({ path, line, name, differences, reason }) => {
      const head = `${differences.length === 0 ? '✓' : '✗'} ${name}  ${path}:${line}\n`
      const lines = differences.map(
        (one) => `    ${one.what}\n      - expected  ${one.expected}\n      + got       ${one.got}\n`,
      )
      const why = differences.length > 0 && reason !== undefined ? `    because   ${reason}\n` : ''
      return `${visible(head.trimEnd())}\n${lines.join('')}${why}`
    })
    .join('')
  await print(world, formatOf(options) === 'table' ? human : listText(results, NO_COLUMNS, formatOf(options)))
  if (results.length === 0) throw usage(`there are no cases in ${directory}`, 'write some: kind: PolicyTest')
  if (failed.length > 0) {
    const message = `${failed.length} of ${count(results.length, 'case')} failed`
    throw new CliFailure(EXIT.policyTestsFailed, 'POLICY_TESTS_FAILED', message)
  }
  tell(world, `${count(results.length, 'case')} passed`)
}

async function simulateSql(world: World, sql: string, options: SimulateOptions): Promise<void> {
  const request = simulateRequest(sql, options)
  const { api, format } = await contextOf(world, options)
  const simulation = await api.policy.simulate(request)
  // Exit code 0 whatever is decided: asking about it worked. The decision is in the answer.
  await print(world, thingText(simulation, simulationText(simulation), format))
}

function simulateRequest(sql: string, options: SimulateOptions): SimulateRequest {
  const { as, on, purpose, time, via } = options
  if (as === undefined && (options.for !== undefined || options.groups !== undefined)) {
    throw usage('--groups and --for are of somebody: name them with --as')
  }
  const approvers = namesIn(options.approvedBy)
  const approved =
    approvers.length === 0 ? undefined : { by: approvers, groups: namesIn(options.approvedGroups) }
  if (approved?.groups.length === 0) throw usage('--approved-by needs --approved-groups')
  const actingFor = options.for === undefined ? undefined : whoIs(options.for, namesIn(options.forGroups))
  return {
    target: on,
    sql,
    via,
    ...(as === undefined
      ? {}
      : { as: { ...whoIs(as, namesIn(options.groups)), ...(actingFor === undefined ? {} : { actingFor }) } }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(time === undefined ? {} : { time }),
    ...(approved === undefined ? {} : { approved }),
  }
}

function whoIs(text: string, groups: string[]) {
  const [, kind, id] = /^(?:(user|agent|service):)?(.+)$/.exec(text) ?? []
  if (id === undefined)
    throw usage(`"${text}" is nobody`, 'write user:ana, agent:insight-agent or service:etl')
  return { kind: (kind ?? 'user') as 'user' | 'agent' | 'service', id, groups }
}

async function explainDecision(world: World, id: string, options: GlobalOptions): Promise<void> {
  const { api, format } = await contextOf(world, options)
  const explained = await api.policy.explain(id)
  await print(world, thingText(explained, explainedText(explained), format))
}

function findingsText(findings: readonly FileProblem[], options: GlobalOptions): string {
  const human = findings
    .map(({ file, line, column, message, hint }) => {
      return `${visible(`${file}:${line}:${column}  ${message}${hint === undefined ? '' : ` (${hint})`}`)}\n`
    })
    .join('')
  const format = formatOf(options)
  return format === 'table' ? human : listText(findings, NO_COLUMNS, format)
}

const NO_COLUMNS: readonly Column<object>[] = []

function placed({ path, ...problem }: Omit<FileProblem, 'file'> & { readonly path: string }): FileProblem {
  return { file: path, ...problem }
}

function namesIn(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
