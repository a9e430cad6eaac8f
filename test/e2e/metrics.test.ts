import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { until } from '../harness/until.ts'

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway()
  // Made ahead of demand, credentials would be counted that no session has.
  const api = await world.access.api('eve', { groups: ['admins'] })
  const { version, files } = await api.resources.current()
  const none = files.map(({ path, text }) => ({
    path,
    text: text.replaceAll('"ttl":"15m"', '"ttl":"15m","prewarm":0'),
  }))
  await api.resources.apply({ expected: version, files: none })
})
afterAll(() => world[Symbol.asyncDispose]())

/** Ours, as Prometheus would read them: by name and labels, without the buckets. */
async function scraped(): Promise<Readonly<Record<string, number>>> {
  const response = await fetch(new URL('/metrics', world.access.url))
  const text = await response.text()
  const samples = [...text.matchAll(/^(sallyport_\S+) (\S+)$/gm)]
  return Object.fromEntries(
    samples.flatMap(([, name = '', value]) =>
      /_(?:bucket|sum)\b/.test(name) ? [] : [[name, Number(value)]],
    ),
  )
}

test('the numbers are those of what happened', async () => {
  const client = await world.access.connect('ana')
  for (let n = 0; n < 3; n++) await client.query('SELECT name FROM customers WHERE id = 1')
  for (let n = 0; n < 2; n++) {
    await expect(client.query('SELECT * FROM secrets')).rejects.toThrow('secrets-are-closed')
  }
  const stranger = await world.token('mallory', { groups: [] })
  await expect(world.access.connect('mallory', { password: stranger })).rejects.toThrow('not permitted')
  await expect(world.access.connect('ana', { password: 'spt_none' })).rejects.toThrow('ticket')

  expect(await scraped()).toMatchObject({
    // Both who were known were decided on, then what the one of them sent.
    'sallyport_decisions_total{decision="permit",protocol="postgres",target="shop"}': 1 + 3,
    'sallyport_decisions_total{decision="deny",protocol="postgres",target="shop"}': 1 + 2,
    // What was decided once is not asked again.
    sallyport_decision_duration_seconds_count: 2 + 1 + 1,
    'sallyport_sessions_active{protocol="postgres"}': 1,
    'sallyport_sessions_total{protocol="postgres",target="shop"}': 1,
    'sallyport_refusals_total{code="ACCESS_POLICY_DENIED"}': 1,
    'sallyport_refusals_total{code="AUTH_TICKET_INVALID"}': 1,
    sallyport_credentials_active: 1,
    sallyport_credential_issue_duration_seconds_count: 1,
    sallyport_credential_revoke_duration_seconds_count: 0,
  })

  await client.end()
  const after = await until('its credential is removed', async () => {
    const now = await scraped()
    return now['sallyport_credentials_active'] === 0 ? now : undefined
  })
  expect(after).toMatchObject({
    'sallyport_sessions_active{protocol="postgres"}': 0,
    'sallyport_sessions_total{protocol="postgres",target="shop"}': 1,
    sallyport_credential_revoke_duration_seconds_count: 1,
    sallyport_credential_revoke_failures_total: 0,
    sallyport_credentials_left: 0,
  })
})
