import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { Option, type Command } from 'commander'
import { createClient, type Client } from '@sallyport/api'
import { FORMATS, type Format } from './output.ts'
import { bearerToken, formatOf, gatewayCa, gatewayUrl, type GlobalOptions } from './settings.ts'
import type { World } from './world.ts'

/** What a command that talks to a gateway works with. */
export interface CommandContext {
  readonly world: World
  readonly format: Format
  readonly api: Client
}

/** Adds the options of every command that talks to a gateway. */
export function withGatewayOptions(command: Command): Command {
  return command
    .addOption(new Option('--gateway <url>', 'address of the gateway (or SALLYPORT_URL)'))
    .addOption(
      new Option(
        '--token-file <path>',
        'file that holds the bearer token (or SALLYPORT_TOKEN, SALLYPORT_TOKEN_FILE)',
      ),
    )
    .addOption(
      new Option(
        '--ca-file <path>',
        "PEM file of the authority of the gateway's certificate (or SALLYPORT_CA_FILE)",
      ),
    )
}

/** Adds `-o`. */
export function withOutputOption(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how to print the data').choices([...FORMATS]).default('table'),
  )
}

/** Reads the options and the environment, and makes the client; does not talk to the gateway yet. */
export async function contextOf(world: World, options: GlobalOptions): Promise<CommandContext> {
  const url = await gatewayUrl(world, options)
  const token = await bearerToken(world, options)
  const ca = await gatewayCa(world, options)
  // For HTTP and the PostgreSQL wire alike: both ends of the gateway show the same authority's certificates.
  if (ca !== undefined) setDefaultCACertificates([...getCACertificates('default'), ca])
  return { world, format: formatOf(options), api: createClient({ url: url.href, token: () => token }) }
}
