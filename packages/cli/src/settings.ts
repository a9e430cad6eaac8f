import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT } from './exit-codes.ts'
import { CliFailure, failureOf, propertyOf, usage } from './failure.ts'
import { FORMATS, type Format } from './output.ts'
import type { World } from './world.ts'

/** The options that every command takes, as typed. */
export interface GlobalOptions {
  readonly gateway?: string
  readonly tokenFile?: string
  readonly caFile?: string
  readonly output?: string
}

/** What `sallyport dev` leaves for the other commands in `./.sallyport/dev.json`, mode 0600, as long as it runs. */
export interface DevState {
  readonly gateway: string
  /** Where `sallyport dev token` asks, and the key that it must show. */
  readonly tokens: { readonly url: string; readonly key: string }
}

/** Where commands look for the gateway when nothing else is said. */
export const DEFAULT_GATEWAY = 'http://127.0.0.1:7400'

/** The running `sallyport dev` of this folder, if there is one. */
export async function devState(world: World): Promise<DevState | undefined> {
  const text = await readFile(join(world.cwd, '.sallyport', 'dev.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  let state: unknown
  try {
    state = JSON.parse(text)
  } catch {
    return undefined
  }
  const [gateway, tokens] = [propertyOf(state, 'gateway'), propertyOf(state, 'tokens')]
  const [url, key] = [propertyOf(tokens, 'url'), propertyOf(tokens, 'key')]
  const whole = typeof gateway === 'string' && typeof url === 'string' && typeof key === 'string'
  return whole ? { gateway, tokens: { url, key } } : undefined
}

/** The gateway's address: `--gateway`, then SALLYPORT_URL, then the running `sallyport dev`, then the default port. */
export async function gatewayUrl(world: World, options: GlobalOptions): Promise<URL> {
  const typed = options.gateway ?? world.env['SALLYPORT_URL']
  const text = typed ?? (await devState(world))?.gateway ?? DEFAULT_GATEWAY
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw usage(`"${text}" is not the address of a gateway`, `give a URL such as ${DEFAULT_GATEWAY}`)
  }
  return new URL(text)
}

/** Whether somebody said where a gateway is, or one of this folder runs, and there is a token to show to it. */
export async function hasGateway(world: World, options: GlobalOptions): Promise<boolean> {
  const named = options.gateway ?? world.env['SALLYPORT_URL'] ?? (await devState(world))?.gateway
  const { SALLYPORT_TOKEN: token, SALLYPORT_TOKEN_FILE: file } = world.env
  return named !== undefined && (options.tokenFile ?? token ?? file) !== undefined
}

/**
 * The bearer token, from a place that no process list shows: `--token-file`, SALLYPORT_TOKEN, SALLYPORT_TOKEN_FILE.
 * @throws CliFailure (authentication) when there is none
 */
export async function bearerToken(world: World, options: GlobalOptions): Promise<string> {
  const { SALLYPORT_TOKEN: token, SALLYPORT_TOKEN_FILE: file } = world.env
  if (options.tokenFile !== undefined) return tokenIn(options.tokenFile, '--token-file')
  if (token !== undefined && token.trim() !== '') return token.trim()
  if (file !== undefined && file !== '') return tokenIn(file, 'SALLYPORT_TOKEN_FILE')
  const dev = await devState(world)
  throw new CliFailure(EXIT.authentication, 'AUTH_REQUIRED', 'no token to show to the gateway', {
    why: 'none of --token-file, SALLYPORT_TOKEN and SALLYPORT_TOKEN_FILE is given',
    hint:
      dev === undefined
        ? 'put a token of your identity provider into SALLYPORT_TOKEN, or its path into SALLYPORT_TOKEN_FILE'
        : 'export SALLYPORT_TOKEN=$(sallyport dev token ana)',
  })
}

async function tokenIn(path: string, named: string): Promise<string> {
  try {
    const token = (await readFile(path, 'utf8')).trim()
    if (token !== '') return token
  } catch (error) {
    throw usage(
      `the file of ${named} cannot be read: ${failureOf(error).message}`,
      'give the path of a readable file',
    )
  }
  throw usage(`the file of ${named} is empty`, 'write the token into it')
}

/** The PEM file of `--ca-file` or SALLYPORT_CA_FILE: the authority of the gateway's certificate. */
export async function gatewayCa(world: World, options: GlobalOptions): Promise<string | undefined> {
  const path = options.caFile ?? world.env['SALLYPORT_CA_FILE']
  if (path === undefined) return undefined
  return readFile(path, 'utf8').catch((error: Error) => {
    throw usage(`the certificate file cannot be read: ${error.message}`, 'give the path of a PEM file')
  })
}

/** The output format: what was typed, or a table. */
export function formatOf(options: GlobalOptions): Format {
  return FORMATS.find((format) => format === options.output) ?? 'table'
}

/** Colour is for people at a terminal who did not ask for none (https://no-color.org). */
export function wantsColor(world: World): boolean {
  const { NO_COLOR: none, FORCE_COLOR: forced, TERM: term } = world.env
  if (none !== undefined && none !== '') return false
  if (forced !== undefined && forced !== '' && forced !== '0') return true
  return world.stderr.isTTY === true && term !== 'dumb'
}
