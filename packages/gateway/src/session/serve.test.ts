import { expect, test } from 'vitest'
import { startTestGateway } from '../../../../test/harness/gateway.ts'
import { until } from '../../../../test/harness/until.ts'

/** Leases that were planned for sessions, and whether their roles are on the target: the same server. */
const LEASES = `
SELECT l.state, r.rolname IS NOT NULL AS there FROM sallyport.leases l LEFT JOIN pg_roles r ON r.rolname = l.handle
WHERE l.session_id IS NOT NULL`

test.each([
  ['tickets', []],
  // Its plan was sent, and comes true once the store is back.
  ['leases', [{ state: 'revoked', there: false }]],
])(
  'while the store is silent about %s, a connection is refused when its time is over',
  async (table, left) => {
    await using world = await startTestGateway({ settings: { limits: { handshake: '3s' } } })
    const { secret } = await world.access.ticket('ana')
    const store = await world.target.client('sallyport')
    await store.query(`BEGIN; LOCK TABLE sallyport.${table} IN ACCESS EXCLUSIVE MODE`)
    await expect(world.access.connect('ana', { password: secret })).rejects.toMatchObject({
      code: '08P01',
      message: expect.stringContaining('within 3 s'),
    })
    await store.query('ROLLBACK')
    await until('what was begun is undone', async () => {
      const { rows } = await store.query(LEASES)
      return JSON.stringify(rows) === JSON.stringify(left) ? true : undefined
    })
  },
)
