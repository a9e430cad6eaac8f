import { existsSync } from 'node:fs'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { GatewayModule, Log, RunningGateway, TrustedIssuer } from '../gateway-module.ts'
import type { DevState } from '../settings.ts'
import { usage } from '../failure.ts'
import { definitePort, isFree } from './free-port.ts'
import { SIGNING_ALGORITHM } from './idp-key.ts'
import { AUDIENCE } from './idp-resource.ts'
import { startDevIdp, type DevIdp } from './idp.ts'
import { holdShop } from './shop/hold-shop.ts'
import { seedShop } from './shop/seed.ts'
import { writeShopResources } from './shop/shop-resources.ts'
import { openTokenEndpoint } from './token-endpoint.ts'

export interface DevOptions {
  /** The folder that it is started in; everything it keeps is in `.sallyport` below. */
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ports on loopback; 0 for free ones. */
  readonly ports: { readonly http: number; readonly postgres: number; readonly idp: number }
  /** For the gateway's own lines. */
  readonly log: Log
  /** One line about what is being done now, for the person who waits. */
  readonly progress: (line: string) => void
}

/** A gateway with everything that it needs, on this machine only. */
export interface DevEnvironment extends AsyncDisposable {
  readonly gateway: RunningGateway
  /** Where clients reach it over HTTP. */
  readonly url: string
  readonly idp: DevIdp
  /** The superuser's URL of the made-up shop; undefined when the folder has its own `sallyport.yaml`. */
  readonly shopUrl: string | undefined
}

/** Starts identity provider, shop and gateway, and leaves `.sallyport/dev.json` for the other commands. */
export async function startDev(gatewayModule: GatewayModule, options: DevOptions): Promise<DevEnvironment> {
  const home = join(options.folder, '.sallyport')
  await mkdir(home, { recursive: true })
  // As root the embedded server runs as another account, which must get through to its data.
  await chmod(home, 0o711)
  await using started = new AsyncDisposableStack()

  const own = join(options.folder, 'sallyport.yaml')
  const hasOwn = existsSync(own)
  const { http: httpPort, postgres: postgresPort, idp: idpPort } = options.ports
  await mustBeFree({
    '--idp-port': idpPort,
    ...(hasOwn ? {} : { '--http-port': httpPort, '--postgres-port': postgresPort }),
  })

  const idp = await startDevIdp({
    port: options.ports.idp,
    dataDir: join(home, 'dev'),
    log: (line) => options.log.info({}, line),
  })
  started.defer(() => idp.close())

  const shop = hasOwn ? undefined : started.use(await startShop(gatewayModule, home, options))
  const env = { ...options.env, ...shop?.env }
  const config = await gatewayModule.loadConfig(shop?.config ?? own, { env })

  options.progress('starting the gateway')
  const gateway = await gatewayModule.startGateway({
    config: { ...config, issuers: [...config.issuers, devIssuer(idp.issuer)] },
    env,
    log: options.log,
  })
  started.defer(() => gateway.close())

  const tokens = await openTokenEndpoint((persona, wish) => idp.token(persona, wish))
  started.defer(() => tokens.close())
  const { http } = gateway.addresses
  const url = `http://${http.host}:${http.port}`
  const state: DevState = { gateway: url, tokens: { url: tokens.url, key: tokens.key } }
  const file = join(home, 'dev.json')
  // Removed first: an existing file would keep its mode.
  await rm(file, { force: true })
  await writeFile(file, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 })
  started.defer(() => rm(file, { force: true }))

  const kept = started.move()
  return { gateway, url, idp, shopUrl: shop?.url, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** Before anything is started: so that what is in the way is said in the words of the command line. */
async function mustBeFree(ports: Readonly<Record<string, number>>): Promise<void> {
  for (const [option, port] of Object.entries(ports)) {
    if (port !== 0 && !(await isFree(port)))
      throw usage(`port ${port} is taken`, `end what has it, or choose another one with ${option}; 0 for any`)
  }
}

interface Shop extends AsyncDisposable {
  /** Path of the gateway configuration that knows it. */
  readonly config: string
  readonly env: Readonly<Record<string, string>>
  readonly url: string
}

/** The made-up shop on a PostgreSQL of its own, and a gateway configuration with it as the only target. */
async function startShop(gatewayModule: GatewayModule, home: string, options: DevOptions): Promise<Shop> {
  await using started = new AsyncDisposableStack()
  options.progress('starting PostgreSQL for the shop')
  const server = await gatewayModule.startEmbedded({ dir: join(home, 'shop'), log: options.log })
  try {
    started.use(await holdShop(server.url.reveal(), options.folder))
  } catch (error) {
    // Whoever holds the lock of an adopted server is alive, and needs it.
    if (!server.adopted) await server.stop()
    throw error
  }
  started.defer(() => server.stop())
  const { issuerPassword, made } = await seedShop(server.url.reveal())
  if (made) options.progress('made the shop: 12,000 customers, 30,000 orders')
  const resources = join(home, 'resources')
  await writeShopResources(resources, `${server.host}:${server.port}`)
  const config = join(home, 'sallyport.yaml')
  const { postgres } = options.ports
  // The gateway's public address is made of it, and tokens are checked against that.
  const http = await definitePort(options.ports.http)
  const settings = {
    listen: { http: `127.0.0.1:${http}`, postgres: `127.0.0.1:${postgres}` },
    dataDir: home,
    resources,
  }
  await writeFile(config, `# Written by sallyport dev at every start.\n${stringify(settings)}`)
  const url = new URL(server.url.reveal())
  url.pathname = '/shop'
  const kept = started.move()
  return {
    config,
    env: { SHOP_ISSUER_PASSWORD: issuerPassword },
    url: url.href,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** The development identity provider, trusted as an operator would configure theirs. */
function devIssuer(issuer: string): TrustedIssuer {
  return {
    issuer,
    audience: AUDIENCE,
    prefix: undefined,
    algorithms: [SIGNING_ALGORITHM],
    claims: { id: 'sub', groups: 'groups', kind: undefined, attributes: {} },
  }
}
