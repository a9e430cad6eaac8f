import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { GatewayAccess, type Listening } from './gateway-access.ts'
import { startProgram } from './programs.ts'
import type { TestWorld } from './test-world.ts'

const BIN = join(import.meta.dirname, '../../packages/cli/bin/sallyport.js')

/** A gateway as operators run it: `sallyport serve`, in a process of its own. */
export interface GatewayProcess extends AsyncDisposable {
  readonly pid: number
  readonly child: ChildProcess
  readonly access: GatewayAccess
  /** Ends it as a crash would: without a chance to clean up. */
  crash(): Promise<void>
}

/** @param wrapper a program and its arguments that `sallyport serve` is run by, such as `prlimit` */
export async function startGatewayProcess(
  world: TestWorld,
  wrapper: readonly string[] = [],
): Promise<GatewayProcess> {
  const serve = [process.execPath, BIN, 'serve', '--config', world.config]
  const [file, ...args] = [...wrapper, ...serve]
  if (file === undefined) throw new TypeError('there is nothing to run')
  const { child, ended } = startProgram(file, args, { env: world.env })
  const listening = await Promise.race([
    told(child),
    ended.then(({ code, stderr }) => Promise.reject(new Error(`the gateway ended with ${code}: ${stderr}`))),
  ])
  const access = new GatewayAccess(world, listening)
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
  }
  return {
    pid: child.pid ?? 0,
    child,
    access,
    crash: () => stop('SIGKILL'),
    async [Symbol.asyncDispose]() {
      await access.endClients()
      await stop('SIGTERM')
    },
  }
}

/** Where it says that it listens. */
async function told(child: ChildProcess): Promise<Listening> {
  let text = ''
  for (;;) {
    const [chunk] = (await once(child.stderr ?? child, 'data')) as [string]
    text += chunk
    const found = /listening: http (\S+):(\d+), postgres (\S+):(\d+)/.exec(text)
    if (found === null) continue
    const [, httpHost = '', httpPort, host = '', port] = found
    return { http: { host: httpHost, port: Number(httpPort) }, postgres: { host, port: Number(port) } }
  }
}
