import { expect, test } from 'vitest'
import { Metrics } from './metrics.ts'

test('the version and what was counted are in the text', async () => {
  const metrics = new Metrics('1.2.3')
  metrics.decisions.inc({ decision: 'deny', protocol: 'postgres', target: 'shop' })
  const text = await metrics.text()
  expect(text).toContain('sallyport_build_info{version="1.2.3"} 1')
  expect(text).toContain('sallyport_decisions_total{decision="deny",protocol="postgres",target="shop"} 1')
})

test('two gateways in one process count apart', async () => {
  const [one, other] = [new Metrics('1'), new Metrics('1')]
  one.sessionsActive.inc({ protocol: 'postgres' })
  expect(await other.text()).not.toContain('sallyport_sessions_active{')
})

test('all names of ours have our prefix', async () => {
  const text = await new Metrics('1').text()
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? '')
  expect(names.filter((name) => !/^(?:sallyport|process|nodejs)_/.test(name))).toEqual([])
})
