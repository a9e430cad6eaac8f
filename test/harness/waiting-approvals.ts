import { Approvals } from '../../packages/gateway/src/approvals/approvals.ts'
import type { ApprovalAsked } from '../../packages/gateway/src/approvals/ports.ts'
import { loadConfig } from '../../packages/gateway/src/config/load.ts'
import { StoredApprovals } from '../../packages/gateway/src/store/approvals.ts'
import { openStore } from '../../packages/gateway/src/store/database.ts'
import type { TestWorld } from './test-world.ts'

/** Requests as an earlier run of the gateway has left them: it is started after this. Returns their ids. */
export async function leaveWaiting(
  world: TestWorld,
  asked: readonly ApprovalAsked[],
): Promise<readonly string[]> {
  const { database } = await loadConfig(world.config, { env: world.env })
  if (database === undefined) throw new TypeError('the test world has a database')
  const quiet = (): void => undefined
  await using store = await openStore({ url: database, log: { info: quiet, warn: quiet } })
  using approvals = new Approvals({
    store: new StoredApprovals(store),
    audit: quiet,
    log: { warn: quiet, error: quiet },
    metrics: { requested: quiet, settled: quiet },
    limits: { waiting: 5000, waitingPerPrincipal: 5000 },
    now: Date.now,
  })
  const ids: string[] = []
  for (const one of asked) ids.push((await approvals.request(one)).id)
  return ids
}
