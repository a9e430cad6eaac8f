import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Config } from './config.ts'
import { loadConfig } from './load.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-config-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function load(text: string, env: Record<string, string> = {}): Promise<Config> {
  const file = join(folder, 'sallyport.yaml')
  await writeFile(file, text)
  return loadConfig(file, { env })
}

const messageOf = (text: string, env?: Record<string, string>): Promise<string> =>
  load(text, env).then(
    () => 'accepted',
    (error: Error) => error.message,
  )

test('an empty file is the defaults', async () => {
  expect(await load('')).toEqual({
    listen: { http: { host: '127.0.0.1', port: 7400 }, postgres: { host: '127.0.0.1', port: 7432 } },
    publicUrl: 'http://127.0.0.1:7400',
    database: undefined,
    dataDir: join(folder, '.sallyport'),
    masterKey: undefined,
    tls: undefined,
    issuers: [],
    resources: undefined,
    tickets: { defaultTtlSeconds: 900, maxTtlSeconds: 3600 },
    approvals: { maxWaiting: 5000, maxWaitingPerPrincipal: 1000, holdMs: 45_000 },
    slack: undefined,
    webhooks: { endpoints: [], allowAddresses: [] },
    limits: { connections: 1000, handshakeMs: 10_000 },
    log: { level: 'info' },
  })
})

const SLACK = 'botToken: { env: BOT }, appToken: { env: APP }'
const SLACK_ENV = { BOT: 'xoxb-1', APP: 'xapp-1' }

test('Slack and webhooks', async () => {
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
  const config = await load(
    `slack: { ${SLACK}, channels: { dba: C012AB3CD }, users: [{ slack: U012AB3CD, issuer: https://idp.example.com, subject: bo }] }
webhooks: { endpoints: [{ url: https://hooks.example.com/x, secret: { env: HOOK } }], allowAddresses: [127.0.0.0/8] }`,
    { ...SLACK_ENV, HOOK: secret },
  )
  expect(config.slack).toMatchObject({
    apiUrl: 'https://slack.com/api/',
    channels: { dba: 'C012AB3CD' },
    users: [{ slack: 'U012AB3CD', subject: 'bo' }],
    loginWithinMs: 86_400_000,
  })
  expect(config.slack?.botToken.reveal()).toBe('xoxb-1')
  expect(config.webhooks).toMatchObject({
    endpoints: [{ url: 'https://hooks.example.com/x', events: ['approval.*', 'alarm.*'], statement: false }],
    allowAddresses: ['127.0.0.0/8'],
  })
  expect(config.webhooks.endpoints[0]?.secret.reveal()).toBe(secret)
})

test.each([
  [`slack: { ${SLACK}, channels: { dba: general } }`, 'slack.channels.dba'],
  [`slack: { ${SLACK}, apiUrl: http://slack.example.com/api/ }`, 'must be https'],
  [`slack: { botToken: xoxb-1, appToken: { env: APP } }`, 'slack.botToken'],
  [
    `slack: { ${SLACK}, users: [{ slack: U01, issuer: https://a.example, subject: a }, { slack: U01, issuer: https://a.example, subject: b }] }`,
    'U01 is there twice',
  ],
  ['webhooks: { endpoints: [{ url: ftp://x, secret: { env: BOT } }] }', 'webhooks.endpoints.0.url'],
  ['webhooks: { endpoints: [{ url: https://x, secret: { env: BOT } }] }', 'whsec_'],
  ['webhooks: { endpoints: [{ url: https://x, secret: { env: BOT }, events: [anything] }] }', 'event type'],
  ['webhooks: { allowAddresses: [localhost] }', 'webhooks.allowAddresses.0'],
])('%s is refused', async (text, part) => {
  const message = await messageOf(text, SLACK_ENV)
  expect(message).toContain(part)
  expect(message).not.toContain('xoxb-1"')
})

test('everything can be said', async () => {
  await writeFile(join(folder, 'key'), 'from a file\n')
  await writeFile(join(folder, 'pem'), 'PEM\n')
  const config = await load(
    `listen: { http: "[::1]:8080", postgres: 0.0.0.0:5432 }
publicUrl: https://gateway.example.com/
database: { env: DB }
dataDir: /var/lib/x
masterKey: { file: key }
tls: { cert: pem, key: pem }
identity:
  issuers:
    - { issuer: https://idp.example.com, audience: sallyport, prefix: corp, claims: { groups: roles } }
    - { issuer: https://other.example.com, audience: sp, prefix: other, algorithms: [ES256] }
resources: ./resources
tickets: { defaultTtl: 5m, maxTtl: 8h }
limits: { connections: 7, handshake: 1500ms }
log: { level: debug }
`,
    { DB: 'postgres://u:p@h/d' },
  )
  expect(config).toMatchObject({
    listen: { http: { host: '::1', port: 8080 }, postgres: { host: '0.0.0.0', port: 5432 } },
    publicUrl: 'https://gateway.example.com',
    dataDir: '/var/lib/x',
    resources: join(folder, 'resources'),
    tickets: { defaultTtlSeconds: 300, maxTtlSeconds: 28_800 },
    limits: { connections: 7, handshakeMs: 1500 },
  })
  expect(config.database?.reveal()).toBe('postgres://u:p@h/d')
  expect(config.masterKey?.reveal()).toBe('from a file')
  expect(config.issuers[0]?.claims).toEqual({ id: 'sub', groups: 'roles', kind: undefined, attributes: {} })
  expect(config.issuers[1]?.algorithms).toEqual(['ES256'])
})

const issuerLine = (name: string, prefix: string): string =>
  `    - { issuer: https://${name}.example.com, audience: a${prefix} }\n`

test.each([
  [
    'an unknown key',
    'listen:\n  htpp: 127.0.0.1:1',
    'sallyport.yaml:2:3: unknown key "htpp", did you mean "http"?',
  ],
  [
    'an unknown key at the top',
    '\ndatadir: x',
    'sallyport.yaml:2:1: unknown key "datadir", did you mean "dataDir"?',
  ],
  [
    'an unknown key in a list',
    'identity:\n  issuers:\n    - { issuer: https://a.b, audience: c, claims: { group: x } }',
    'sallyport.yaml:3:53: unknown key "group", did you mean "groups"?',
  ],
  ['a wrong address', 'listen: { http: 7400 }', 'sallyport.yaml:1:17: "listen.http"'],
  ['a port that is none', 'listen: { http: "h:70000" }', 'the port must be at most 65535'],
  ['a duration without a unit', 'tickets: { maxTtl: 5 }', 'sallyport.yaml:1:20: "tickets.maxTtl"'],
  ['a missing key', 'tls: { cert: x }', 'sallyport.yaml:1:6: "tls.key" is missing'],
  ['a protocol of later', 'listen: { ssh: 127.0.0.1:22 }', 'SSH is not served by this version'],
  ['YAML that is none', 'listen: [', 'sallyport.yaml:1:10: '],
  ['text in place of keys', 'hello', 'sallyport.yaml:1:1: '],
  ['a plain master key', 'masterKey: abc', '"masterKey": must be { env: NAME } or { file: PATH }'],
  ['a variable that is not set', 'masterKey: { env: NONE }', 'the environment variable NONE is not set'],
  ['a file that is not there', 'masterKey: { file: none }', 'none: ENOENT'],
  [
    'an algorithm that anybody can forge',
    `identity: { issuers: [{ issuer: https://a.b, audience: c, algorithms: [HS256] }] }`,
    'algorithms.0',
  ],
  ['a ticket longer than the longest', 'tickets: { defaultTtl: 2h }', 'is longer than "tickets.maxTtl"'],
  [
    'two issuers without prefixes',
    `identity:\n  issuers:\n${issuerLine('a', '')}${issuerLine('b', '')}`,
    'https://a.example.com and https://b.example.com have no "prefix"',
  ],
  [
    'two issuers with one prefix',
    `identity:\n  issuers:\n${issuerLine('a', ', prefix: x')}${issuerLine('b', ', prefix: x')}`,
    'have the same prefix "x"',
  ],
])('%s is refused where it stands', async (_what, text, message) => {
  expect(await messageOf(text)).toContain(message)
})

test('all problems are told at once', async () => {
  expect((await messageOf('log: { level: loud }\nlisten: { http: x }\nfoo: 1')).split('\n')).toHaveLength(3)
})

test('a file that is not there is CONFIG_INVALID with what to do', async () => {
  await expect(loadConfig(join(folder, 'none.yaml'), { env: {} })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    hint: expect.stringContaining('--config'),
  })
})

test('one issuer among prefixed ones may go without', async () => {
  const text = `identity:\n  issuers:\n${issuerLine('a', '')}${issuerLine('b', ', prefix: x')}`
  expect(await messageOf(text)).toBe('accepted')
})
