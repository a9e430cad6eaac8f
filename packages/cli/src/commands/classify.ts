import { Command, Option } from 'commander'
import { contextOf, withGatewayOptions } from '../command-context.ts'
import { usage } from '../failure.ts'
import {
  type GatewayModule,
  loadGateway,
  type ProposedClassification,
  type SampledColumn,
} from '../gateway-module.ts'
import { classificationYaml } from '../classification-yaml.ts'
import { sampleColumns } from '../sample-columns.ts'
import type { GlobalOptions } from '../settings.ts'
import { sqlFailure } from '../sql-failure.ts'
import { openTarget } from '../target-access.ts'
import { print, tell, type World } from '../world.ts'

interface ClassifyOptions extends Omit<GlobalOptions, 'output'> {
  readonly output: 'yaml' | 'json'
  readonly samples: boolean
  readonly recogniser?: URL
  readonly recogniserMayFail?: boolean
}

export function classifyCommand(world: World): Command {
  const command = new Command('classify')
    .description(
      'propose which columns of a target hold sensitive data: a Classification, and the data classes that it names, to be ' +
        'reviewed and applied. Reads up to 200 rows of each table in a session of yours, like any other client: what is ' +
        'hidden from you is judged by its name alone',
    )
    .argument('<target>', 'name of the target')
    .option('--no-samples', 'judge by names and types alone; reads no rows')
    .option(
      '--recogniser <url>',
      "also show the samples to a recogniser that speaks the API of Presidio's analyzer; they leave this machine for it",
      webAddress,
    )
    .option('--recogniser-may-fail', 'go on without it when it does not answer')
    .addOption(
      new Option('-o, --output <format>', 'resources as YAML, or all that was found out as JSON')
        .choices(['yaml', 'json'])
        .default('yaml'),
    )
    .action((target: string, options: ClassifyOptions) => classify(world, target, options))
  return withGatewayOptions(command)
}

async function classify(world: World, target: string, options: ClassifyOptions): Promise<void> {
  const { api } = await contextOf(world, options)
  const { MOST_SAMPLES, proposeClassification, recogniseEach } = await loadGateway()
  await using access = await openTarget(world, api, { target, purpose: 'classify columns' })
  const sampled = await sampleColumns(access, options.samples ? MOST_SAMPLES : 0, (line) =>
    tell(world, line),
  ).catch((error: unknown) => {
    throw sqlFailure(error, target)
  })
  const columns: SampledColumn[] = []
  for (const column of sampled) {
    columns.push(await recognised(column, options, recogniseEach, (line) => tell(world, line)))
  }
  const proposal = proposeClassification(columns)
  await print(
    world,
    options.output === 'json'
      ? `${JSON.stringify({ target, ...proposal }, null, 2)}\n`
      : classificationYaml(target, proposal),
  )
  for (const line of summary(columns.length, proposal)) tell(world, line)
}

/** A model takes its time for twenty kilobytes of text; after this it has hung. */
const RECOGNISER_TIMEOUT_MS = 30_000

async function recognised(
  column: SampledColumn,
  { recogniser, recogniserMayFail }: ClassifyOptions,
  recogniseEach: GatewayModule['recogniseEach'],
  say: (line: string) => void,
): Promise<SampledColumn> {
  if (recogniser === undefined || column.samples === undefined) return column
  const asked = {
    url: recogniser,
    language: 'en',
    leastScore: 0.5,
    timeoutMs: RECOGNISER_TIMEOUT_MS,
    onFailure: recogniserMayFail === true ? 'without' : 'refuse',
  } as const
  const spans = await recogniseEach(asked, column.samples, new AbortController().signal)
  if (spans !== 'unavailable') return { ...column, recognised: spans }
  say(`${column.schema}.${column.table}.${column.column}: the recogniser did not answer, and was left out`)
  return column
}

function webAddress(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usage(`"${text}" is not the address of a recogniser`, '--recogniser http://127.0.0.1:5002')
  }
  return url
}

/** Why each was proposed, for whoever reviews it. */
function summary(seen: number, { fields, freeTexts }: ProposedClassification): string[] {
  const lines = fields.map(({ field, class: name, because, certainty }) => {
    return `${certainty === 'likely' ? '+' : '?'} ${field}: ${name} (${because})`
  })
  const texts = freeTexts.map(
    ({ field, because }) => `~ ${field}: no class (${because}); "texts: detect" is for those`,
  )
  return [
    ...lines,
    ...texts,
    `${fields.length} of ${seen} columns proposed; "?" are those that only the name speaks for`,
  ]
}
