import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../../access/secret.ts'
import { asked, approval, bo, decision, statement } from '../approval.fixture.ts'
import { keepStatement } from '../keep-statement.ts'
import { AddressGuard } from './address-guard.ts'
import { approvalPayload, type WebhookEvent } from './event-payload.ts'
import { type WebhookEndpoint, Webhooks } from './webhooks.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let server: Server
let url: string
let received: Received[]
/** What the receiver answers to the n-th request. */
let answer: (n: number) => { status: number; location?: string }
let audited: { type: string; detail: Readonly<Record<string, string | number>> }[]
let open: Webhooks[]

beforeEach(async () => {
  received = []
  audited = []
  open = []
  answer = () => ({ status: 204 })
  server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body })
      const { status, location } = answer(received.length)
      response.writeHead(status, location === undefined ? {} : { location })
      response.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=secret`
})
afterEach(async () => {
  for (const one of open) await one[Symbol.asyncDispose]()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function webhooks(endpoint: Partial<WebhookEndpoint> = {}, allowAddresses = ['127.0.0.0/8']): Webhooks {
  const quiet = (): void => undefined
  const made = new Webhooks({
    endpoints: [{ url, secret: new Secret(SECRET), events: ['approval.*'], statement: false, ...endpoint }],
    allowAddresses,
    audit: (event) => void audited.push(event),
    log: { warn: quiet, error: quiet },
    backoffMs: [1, 1, 1],
  })
  open.push(made)
  return made
}

const event = (type = 'approval.requested', n = 0): WebhookEvent => ({
  type,
  at: new Date(),
  data: { id: 'apr_1', n },
})
const fate = () => expect.poll(() => audited.map(({ type }) => type))

test('an event arrives once, signed so that the receiver can check it', async () => {
  webhooks().send(event())
  await fate().toEqual(['webhook.deliver'])
  expect(received).toHaveLength(1)
  const [{ headers, body }] = received as [Received]
  const verified = new Webhook(SECRET).verify(body, headers as Record<string, string>)
  expect(verified).toMatchObject({ type: 'approval.requested', data: { id: 'apr_1' } })
  expect(() =>
    new Webhook(SECRET).verify(body.replace('apr_1', 'apr_2'), headers as Record<string, string>),
  ).toThrow()
  expect(audited[0]?.detail).toMatchObject({ event: 'approval.requested', approval: 'apr_1', attempts: 1 })
  expect(JSON.stringify(audited)).not.toContain('secret')
})

test('what is not taken is tried again, under the same id', async () => {
  answer = (n) => ({ status: n < 3 ? 503 : 200 })
  webhooks().send(event())
  await fate().toEqual(['webhook.deliver'])
  expect(received).toHaveLength(3)
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
})

test('what is never taken is given up, and audited', async () => {
  answer = () => ({ status: 500 })
  webhooks().send(event())
  await fate().toEqual(['webhook.fail'])
  expect(received).toHaveLength(4)
  expect(audited[0]?.detail).toMatchObject({ attempts: 4, why: 'it answered 500' })
})

test('a redirect is not followed', async () => {
  answer = () => ({ status: 307, location: '/elsewhere' })
  webhooks().send(event())
  await fate().toEqual(['webhook.fail'])
  expect(new Set(received.map(({ path }) => path))).toEqual(new Set(['/hook?token=secret']))
})

test('410 ends it: nothing more is sent there', async () => {
  answer = () => ({ status: 410 })
  const hooks = webhooks()
  hooks.send(event())
  await fate().toEqual(['webhook.fail'])
  hooks.send(event())
  expect(received).toHaveLength(1)
})

test('only what an endpoint asked for is sent', async () => {
  const hooks = webhooks({ events: ['approval.denied', 'alarm.*'] })
  hooks.send(event('approval.granted'))
  hooks.send(event('approval.denied'))
  hooks.send(event('alarm.break_glass'))
  await fate().toEqual(['webhook.deliver', 'webhook.deliver'])
  const types = received.map(({ body }) => (JSON.parse(body) as { type: string }).type)
  expect(types.toSorted()).toEqual(['alarm.break_glass', 'approval.denied'])
})

test('what still waits when the gateway stops is audited as given up', async () => {
  answer = () => ({ status: 500 })
  const hooks = new Webhooks({
    endpoints: [{ url, secret: new Secret(SECRET), events: ['approval.*'], statement: false }],
    allowAddresses: ['127.0.0.0/8'],
    audit: (one) => void audited.push(one),
    log: { warn: () => undefined, error: () => undefined },
    backoffMs: [60_000],
  })
  for (let n = 0; n < 20; n++) hooks.send(event('approval.requested', n))
  await expect.poll(() => received.length).toBe(8)
  await hooks[Symbol.asyncDispose]()
  expect(audited.map(({ type }) => type)).toEqual(Array.from({ length: 20 }, () => 'webhook.fail'))
})

test('a queue that is full gives up the oldest', async () => {
  const hooks = webhooks({ url: 'http://127.0.0.1:1/' })
  for (let n = 0; n < 1020; n++) hooks.send(event('approval.requested', n))
  expect(audited.length).toBe(12)
  expect(audited[0]?.detail['why']).toBe('too many events wait for this endpoint')
})

describe('where webhooks do not go', () => {
  test.each(['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433', '0x7f.1'])(
    'http://%s is not reached unless it is allowed',
    async (host) => {
      const there = new URL(url)
      there.hostname = host
      webhooks({ url: there.href }, []).send(event())
      await fate().toEqual(['webhook.fail'])
      expect(audited[0]?.detail['why']).toMatch(/do not reach/)
      expect(received).toEqual([])
    },
  )

  test.each([
    '169.254.169.254',
    '169.254.170.2',
    'fd00:ec2::254',
    'fd20:ce::254',
    '100.100.100.200',
    '168.63.129.16',
    'fe80::1',
    '::ffff:169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '::a9fe:a9fe',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    'nothing',
  ])('%s is closed', (address) => {
    expect(new AddressGuard([]).permits(address)).toBe(false)
  })

  test.each(['10.0.0.1', '192.168.1.1', '172.16.0.1', 'fd12::1', '93.184.216.34', '2606:4700::1'])(
    '%s is open',
    (address) => {
      expect(new AddressGuard([]).permits(address)).toBe(true)
    },
  )

  test('what is allowed is open, and nothing beside it', () => {
    const guard = new AddressGuard(['169.254.7.0/24', '::1/128'])
    expect(['169.254.7.1', '::1', '169.254.8.1', '127.0.0.1'].map((one) => guard.permits(one))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})

describe('the payload', () => {
  const kept = approval({ statement: keepStatement(statement()), reported: asked().reported })

  test('says what happened, and cannot be used to decide', () => {
    const denied = {
      ...kept,
      state: 'denied' as const,
      closedBecause: 'too wide',
      decisions: [decision(bo, { verdict: 'deny' })],
    }
    const payload = approvalPayload({ type: 'denied', approval: denied }, 'https://gw.test', new Date())
    expect(payload).toMatchObject({
      type: 'approval.denied',
      data: {
        id: 'apr_1',
        principal: { kind: 'agent', id: 'insight-agent', actingFor: { kind: 'user', id: 'ana' } },
        approvers: ['dba'],
        closedBecause: 'too wide',
        decisions: [{ person: 'bo', verdict: 'deny' }],
        url: 'https://gw.test/api/v1/approvals/apr_1',
      },
    })
    expect(JSON.stringify(payload?.data)).not.toContain('UPDATE')
  })

  test('has the statement only for those who asked for it', async () => {
    const payload = approvalPayload({ type: 'requested', approval: kept }, 'https://gw.test', new Date())
    if (payload === undefined) throw new Error('it is sent')
    webhooks().send(payload)
    webhooks({ statement: true }).send(payload)
    await fate().toEqual(['webhook.deliver', 'webhook.deliver'])
    expect(received.filter(({ body }) => body.includes('UPDATE orders'))).toHaveLength(1)
  })

  test.each(['previewed', 'progress'] as const)('%s is not told', (type) => {
    expect(approvalPayload({ type, approval: kept }, 'https://gw.test', new Date())).toBeUndefined()
  })
})
