import { loadConfig } from '../../packages/gateway/src/config/load.ts'
import { type Gateway, type GatewayLog, startGateway } from '../../packages/gateway/src/main.ts'
import { GatewayAccess } from './gateway-access.ts'
import { startTestWorld, type TestWorld, type WorldOptions } from './test-world.ts'

/** A gateway in this process, with everything around it real. */
export interface TestGateway extends TestWorld {
  readonly gateway: Gateway
  readonly access: GatewayAccess
  /** What the gateway logged as errors: nothing, in a test in which nothing unexpected happens. */
  readonly errors: readonly string[]
}

export async function startTestGateway(options: WorldOptions = {}): Promise<TestGateway> {
  await using started = new AsyncDisposableStack()
  const world = started.use(await startTestWorld(options))
  const errors: string[] = []
  const quiet = (): void => undefined
  const log: GatewayLog = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (details, message) => errors.push(`${message} ${JSON.stringify(details)}`),
  }
  const config = await loadConfig(world.config, { env: world.env })
  const gateway = started.use(await startGateway({ config, env: world.env, log }))
  const access = new GatewayAccess(world, gateway.addresses)
  started.defer(() => access.endClients())
  const kept = started.move()
  return { ...world, gateway, access, errors, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}
