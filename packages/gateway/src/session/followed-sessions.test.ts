import { expect, test } from 'vitest'
import { openLeaseWorld, READ } from '../credentials/leases.fixture.ts'
import { startIssuerTarget } from '../protocols/postgres/issuer-target.fixture.ts'
import { Catalogs } from './catalogs.ts'
import { FollowedSessions } from './followed-sessions.ts'

test('a session for which the catalog changed while its lease was made has the grants that went with a table', async () => {
  const signal = AbortSignal.timeout(60_000)
  await using server = await startIssuerTarget()
  await using world = await openLeaseWorld(server.storeUrl, server.target)
  using followed = new FollowedSessions(() => false)
  using catalogs = new Catalogs(
    (_target, stop) => world.issuer.catalog(stop),
    (target) => followed.catalogChanged(target),
  )
  const issuedOn = await catalogs.of(server.target)
  const permit = world.permit()
  await using lease = await world.leases.issue({ permit, capability: READ, sessionId: 'ses_1', signal })
  await server.admin.query(`
    DROP TABLE customers CASCADE;
    CREATE TABLE customers (id int);
    GRANT SELECT ON customers TO sallyport_issuer WITH GRANT OPTION`)
  const now = await catalogs.latest(server.target)
  const end = (): void => undefined
  using _followed = followed.follow({ target: 'shop', lease, capability: () => READ, end }, now !== issuedOn)
  const may = "SELECT has_table_privilege($1, 'customers', 'SELECT') AS may"
  await expect
    .poll(async () => (await server.admin.query(may, [lease.handle])).rows, { timeout: 5000 })
    .toEqual([{ may: true }])
})
