import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { Target } from '../access/model.ts'
import { Secret } from '../access/secret.ts'
import { Metrics } from './metrics.ts'

const SHOP: Target = {
  name: 'shop',
  protocol: 'postgres',
  address: { host: '127.0.0.1', port: 5432 },
  database: 'shop',
  tls: { mode: 'disable' },
  tags: {},
  recording: 'written',
  credentials: {
    issuer: 'postgres-role',
    username: 'issuer',
    password: new Secret(''),
    ttlSeconds: 900,
    prewarm: 0,
  },
}

function metrics(
  credentials = { active: 0, left: 0 },
  reviews = { open: () => Promise.resolve(0) },
): Metrics {
  return new Metrics(
    '1.2.3',
    { active: () => credentials.active, left: () => credentials.left },
    { waiting: () => 0 },
    reviews,
  )
}

test('the version and what was counted are in the text', async () => {
  const counted = metrics()
  counted.refused('LIMIT_REACHED')
  const text = await counted.text()
  expect(text).toContain('sallyport_build_info{version="1.2.3"} 1')
  expect(text).toContain('sallyport_refusals_total{code="LIMIT_REACHED"} 1')
})

test('decisions and credentials are as they are when metrics are asked for', async () => {
  const credentials = { active: 1, left: 0 }
  const counted = metrics(credentials)
  const tally = counted.decisions(SHOP)
  for (const n of [1, 2]) {
    tally.deny += 1
    credentials.left = n
    const text = await counted.text()
    expect(text).toContain(
      `sallyport_decisions_total{decision="deny",protocol="postgres",target="shop"} ${n}`,
    )
    expect(text).toContain('sallyport_credentials_active 1')
    expect(text).toContain(`sallyport_credentials_left ${n}`)
  }
})

test('two gateways in one process count apart', async () => {
  const [one, other] = [metrics(), metrics()]
  one.opened(SHOP)
  expect(await other.text()).not.toContain('sallyport_sessions_active{')
})

test('all names of ours have our prefix', async () => {
  const text = await metrics().text()
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? '')
  expect(names.filter((name) => !/^(?:sallyport|process|nodejs)_/.test(name))).toEqual([])
})

test('the reference has a line for each of ours', async () => {
  const text = await metrics().text()
  const ours = [...text.matchAll(/^# HELP (sallyport_\S+)/gm)].map(([, name]) => name)
  const page = await readFile(new URL('../../../../docs/reference/metrics.md', import.meta.url), 'utf8')
  const listed = [...page.matchAll(/^\| `(sallyport_\w+)/gm)].map(([, name]) => name)
  expect(new Set(listed)).toEqual(new Set(ours))
})

test('open reviews are left out while the store cannot tell, and nothing else is', async () => {
  let open = (): Promise<number> => Promise.resolve(3)
  const counted = metrics(undefined, { open: () => open() })
  expect(await counted.text()).toMatch(/^sallyport_reviews_open 3$/m)
  open = () => Promise.reject(new Error('away'))
  const text = await counted.text()
  expect(text).not.toMatch(/^sallyport_reviews_open \d/m)
  expect(text).toContain('sallyport_approvals_pending 0')
})
