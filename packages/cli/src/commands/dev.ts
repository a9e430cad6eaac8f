import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { EXIT } from '../exit-codes.ts'
import { CliFailure, usage } from '../failure.ts'
import { loadGateway } from '../gateway-module.ts'
import { devState } from '../settings.ts'
import { stderrLog } from '../stderr-log.ts'
import { untilStopped } from '../until-stopped.ts'
import { print, tell, type World } from '../world.ts'

interface DevOptions {
  readonly httpPort: number
  readonly postgresPort: number
  readonly idpPort: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

interface TokenOptions {
  readonly for?: string
  readonly header?: boolean
  readonly dir?: string
}

export function devCommand(world: World): Command {
  const token = new Command('token')
    .description('print a token of somebody whom the running `sallyport dev` knows')
    .argument('<persona>', 'ana, omar, dora, insight-agent, deploy-agent')
    .option('--for <person>', 'the person for whom the agent acts')
    .option('--header', 'as the JSON of an HTTP header, for the headersHelper of an .mcp.json')
    .option('--dir <path>', 'the folder that `sallyport dev` was started in; left out, this one')
    .action((persona: string, options: TokenOptions) => printToken(world, persona, options))

  return new Command('dev')
    .description(
      'run a gateway with everything it needs on this machine: database, identity provider, a made-up shop',
    )
    .option('--http-port <port>', 'for the API and MCP; 0 takes a free one', port, 7400)
    .option('--postgres-port <port>', 'for PostgreSQL clients', port, 7432)
    .option('--idp-port <port>', 'for the identity provider', port, 7401)
    .addOption(
      new Option('--log-level <level>', 'least level of the log lines to show')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('warn'),
    )
    .action((options: DevOptions) => dev(world, options))
    .addCommand(token)
}

async function dev(world: World, options: DevOptions): Promise<void> {
  const stopped = untilStopped(world)
  tell(world, '• starting; the first time takes a few seconds more')
  // Loaded only here: the identity provider is by far the largest part of us.
  const [{ startDev }, { whatToTry }, { firstTicket }] = await Promise.all([
    import('../dev/start-dev.ts'),
    import('../dev/what-to-try.ts'),
    import('../dev/first-ticket.ts'),
  ])
  await using environment = await startDev(await loadGateway(), {
    folder: world.cwd,
    env: world.env,
    ports: { http: options.httpPort, postgres: options.postgresPort, idp: options.idpPort },
    log: stderrLog(world, options.logLevel),
    progress: (line) => tell(world, `• ${line}`),
  })
  await print(
    world,
    whatToTry({
      url: environment.url,
      postgres: environment.gateway.addresses.postgres,
      folder: world.cwd,
      sallyport: [fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url))],
      ticket: await firstTicket(environment),
    }),
  )
  const end = await Promise.race([stopped, environment.gateway.failed])
  if (typeof end !== 'string') throw end
  tell(world, `${end}: stopping`)
}

async function printToken(world: World, persona: string, options: TokenOptions): Promise<void> {
  const folder = resolve(world.cwd, options.dir ?? '.')
  const state = await devState({ ...world, cwd: folder })
  if (state === undefined) {
    throw usage(`no \`sallyport dev\` runs in ${folder}`, 'start it there, or say where it runs with --dir')
  }
  const url = new URL(encodeURIComponent(persona), `${state.tokens.url}/`)
  if (options.for !== undefined) url.searchParams.set('for', options.for)
  const headers = { authorization: `Bearer ${state.tokens.key}` }
  const response = await fetch(url, { headers }).catch((cause: unknown) => {
    const state = join(folder, '.sallyport', 'dev.json')
    throw new CliFailure(
      EXIT.unreachable,
      'GATEWAY_UNREACHABLE',
      `\`sallyport dev\` does not run in ${folder} any more`,
      {
        why: `it left ${state}, but nothing answers where that says`,
        hint: 'start it again: sallyport dev',
        cause,
      },
    )
  })
  const text = await response.text()
  if (!response.ok) throw usage(text)
  await print(
    world,
    options.header ? `${JSON.stringify({ Authorization: `Bearer ${text}` })}\n` : `${text}\n`,
  )
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw usage(`"${text}" is not a port`, 'a number from 0 to 65535')
  return Number(text)
}
