import { resolve } from 'node:path'
import { Command } from 'commander'
import { loadGateway } from '../gateway-module.ts'
import { untilStopped } from '../until-stopped.ts'
import { tell, type World } from '../world.ts'

export function serveCommand(world: World): Command {
  return new Command('serve')
    .description('run the gateway')
    .option('--config <path>', 'its configuration', 'sallyport.yaml')
    .action((options: { config: string }) => serve(world, options.config))
}

async function serve(world: World, path: string): Promise<void> {
  const { loadConfig, startGateway } = await loadGateway()
  const config = await loadConfig(resolve(world.cwd, path), { env: world.env })
  const stopped = untilStopped(world)
  await using gateway = await startGateway({ config, env: world.env })
  const { http, postgres } = gateway.addresses
  tell(world, `listening: http ${http.host}:${http.port}, postgres ${postgres.host}:${postgres.port}`)
  const end = await Promise.race([stopped, gateway.failed])
  if (typeof end !== 'string') throw end
  tell(world, `${end}: stopping`)
}
