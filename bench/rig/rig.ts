import type { DevIdp } from '../../packages/cli/src/dev/idp.ts'
import type { Options } from '../options.ts'
import type { Endpoint } from './endpoint.ts'
import { type GatewayProcess, startGateway } from './gateway.ts'
import { type PgBouncer, startPgBouncer } from './pgbouncer.ts'
import type { BenchTarget } from './target.ts'

/** What every section measures with. */
export interface Rig {
  readonly options: Options
  readonly target: BenchTarget
  readonly idp: DevIdp
  readonly pgbench: string
  /** Undefined: there is none on this machine, and its columns stay empty. */
  readonly pgbouncer: string | undefined
  /** The gateway's data directory: made by the first section, warm for the others. */
  readonly home: string
  /** Aborts when the bench is to end: every process is stopped then, so that the section fails soon. */
  readonly interrupted: AbortSignal
}

/** What stands between a client and the database, new for each section. */
export interface Proxies extends AsyncDisposable {
  readonly gateway: GatewayProcess
  readonly pgbouncer: PgBouncer | undefined
}

export async function startProxies(rig: Rig): Promise<Proxies> {
  await using starting = new AsyncDisposableStack()
  const { target, idp, home, options, interrupted } = rig
  const gateway = starting.use(
    await startGateway({ home, target, idp, interrupted, profile: options.profile }),
  )
  const pgbouncer =
    rig.pgbouncer === undefined ? undefined : await startPgBouncer(rig.pgbouncer, target.direct, interrupted)
  if (pgbouncer !== undefined) starting.use(pgbouncer)
  const running = starting.move()
  return { gateway, pgbouncer, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** A way to the database, and the processes on it. */
export interface Route {
  readonly endpoint: Endpoint
  /** The proxy's own. */
  readonly pids: readonly number[]
  /** Of the gateway's store. */
  readonly storePids: () => readonly number[]
}

/** Direct, through PgBouncer where there is one, and through the gateway: in this order in every table. */
export async function routes(
  rig: Rig,
  { gateway, pgbouncer }: Proxies,
  gatewayTarget: string,
): Promise<Route[]> {
  const none = (): number[] => []
  return [
    { endpoint: rig.target.direct, pids: [], storePids: none },
    ...(pgbouncer === undefined
      ? []
      : [{ endpoint: pgbouncer.endpoint, pids: [pgbouncer.pid], storePids: none }]),
    {
      endpoint: await gateway.endpoint('gateway', gatewayTarget),
      pids: [gateway.pid],
      storePids: () => gateway.storePids(),
    },
  ]
}
