import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Secret } from '../access/secret.ts'
import { deriveKey, masterKey } from './master-key.ts'
import { makeSelfSigned } from './self-signed.ts'
import { serverCertificate } from './server-certificate.ts'

let home: string
let dataDir: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'sallyport-keys-'))
  dataDir = join(home, 'data')
})
afterEach(() => rm(home, { recursive: true, force: true }))

const listen = { http: { host: '127.0.0.1', port: 1 }, postgres: { host: 'db.internal', port: 2 } }

test('the master key is made once, for nobody else to read', async () => {
  const [first, second] = await Promise.all([1, 2].map(() => masterKey({ masterKey: undefined, dataDir })))
  expect(first?.reveal()).toMatch(/^[0-9a-f]{64}$/)
  expect(second?.reveal()).toBe(first?.reveal())
  expect((await stat(join(dataDir, 'master.key'))).mode & 0o777).toBe(0o600)
})

test.each([
  ['hexadecimal', Buffer.alloc(32, 0xab).toString('hex')],
  ['base64', Buffer.alloc(32, 0xab).toString('base64')],
  ['base64url', Buffer.alloc(32, 0xab).toString('base64url')],
])('a configured master key may be %s', async (_form, text) => {
  const key = await masterKey({ masterKey: new Secret(`${text}\n`), dataDir })
  expect(key.reveal()).toBe('ab'.repeat(32))
})

test('a master key of another length is refused without being shown', async () => {
  const error: unknown = await masterKey({ masterKey: new Secret('hunter2'), dataDir }).catch(
    (e: unknown) => e,
  )
  expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
  expect(String(error)).not.toContain('hunter2')
})

test('keys of different purposes differ, of the same purpose do not', () => {
  const master = new Secret('00'.repeat(32))
  expect(deriveKey(master, 'tickets')).toHaveLength(32)
  expect(deriveKey(master, 'tickets')).toEqual(deriveKey(master, 'tickets'))
  expect(deriveKey(master, 'tickets')).not.toEqual(deriveKey(master, 'vault'))
})

test('the self-signed certificate is made once, for the names it listens on', async () => {
  const first = await serverCertificate({ tls: undefined, dataDir, listen })
  const second = await serverCertificate({ tls: undefined, dataDir, listen })
  expect(second.cert).toBe(first.cert)
  expect(second.key.equals(first.key)).toBe(true)
  const certificate = new X509Certificate(first.cert)
  expect(certificate.checkHost('db.internal')).toBe('db.internal')
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
  expect(await readFile(join(dataDir, 'server.crt'), 'utf8')).toBe(first.cert)
  expect((await stat(join(dataDir, 'server.pem'))).mode & 0o777).toBe(0o600)
})

test("a configured key that is not the certificate's is refused", async () => {
  const tls = { cert: makeSelfSigned(['a']).cert, key: makeSelfSigned(['a']).key }
  await expect(serverCertificate({ tls, dataDir, listen })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('a data directory that is a file is a clear error', async () => {
  await writeFile(dataDir, '')
  await expect(masterKey({ masterKey: undefined, dataDir })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    hint: expect.stringContaining('dataDir'),
  })
})
