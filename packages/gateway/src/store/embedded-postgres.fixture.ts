import { startEmbedded } from './embedded-postgres.ts'

/** A process that starts the server, tells its process id, and waits to be killed. */
const server = await startEmbedded({
  dir: process.argv[2] ?? '',
  log: { info: () => undefined, warn: () => undefined },
})
process.send?.(server.pid)
setInterval(() => undefined, 60_000)
