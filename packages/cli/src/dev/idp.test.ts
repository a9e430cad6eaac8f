import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import type { JWTPayload } from 'jose'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type DevIdp, startDevIdp } from './idp.ts'
import { PERSONAS } from './idp-personas.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const CLI = { client_id: 'sallyport-cli' }

let idp: DevIdp
const printed: unknown[] = []
const logged: string[] = []

beforeAll(async () => {
  for (const method of ['log', 'info', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((...values) => printed.push(...values))
  }
  idp = await startDevIdp({ port: 0, log: (line) => logged.push(line) })
})
afterAll(async () => {
  await idp.close()
  vi.restoreAllMocks()
})

async function verified(token: string): Promise<JWTPayload> {
  const keys = createRemoteJWKSet(new URL(`${idp.issuer}/jwks`))
  const { payload } = await jwtVerify(token, keys, {
    issuer: idp.issuer,
    audience: 'sallyport',
    typ: 'at+jwt',
  })
  return payload
}

async function post(
  path: string,
  parameters: Record<string, string>,
  client?: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const basic = client === undefined ? '' : btoa(`${client}:${idp.clientSecret(client)}`)
  const response = await fetch(`${idp.issuer}${path}`, {
    method: 'POST',
    headers: client === undefined ? {} : { authorization: `Basic ${basic}` },
    body: new URLSearchParams(parameters),
  })
  const body: Record<string, unknown> = JSON.parse(await response.text())
  return { status: response.status, body }
}

const exchange = async (subject: string, more: Record<string, string> = {}, client = 'insight-agent') =>
  await post(
    '/token',
    { grant_type: EXCHANGE, subject_token: subject, subject_token_type: ACCESS_TOKEN, ...more },
    client,
  )

/** A browser, as far as this provider needs one: follows redirects on its own origin and keeps cookies. */
class Browser {
  readonly #cookies = new Map<string, string>()

  async open(url: string, form?: Record<string, string>): Promise<{ url: string; html: string }> {
    let next = { url: new URL(url, idp.issuer).href, form }
    for (;;) {
      const response = await fetch(next.url, {
        redirect: 'manual',
        headers: { cookie: [...this.#cookies].map((pair) => pair.join('=')).join('; ') },
        ...(next.form === undefined ? {} : { method: 'POST', body: new URLSearchParams(next.form) }),
      })
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
        this.#cookies.set(name, value)
      }
      const html = await response.text()
      const location = response.headers.get('location')
      if (location === null) return { url: next.url, html }
      const to = new URL(location, next.url).href
      if (!to.startsWith(idp.issuer)) return { url: to, html }
      next = { url: to, form: undefined }
    }
  }
}

const fieldOf = (html: string, name: string): string =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? ''

describe('the development identity provider', () => {
  it('publishes its metadata, and a key without its private half', async () => {
    const metadata = await (await fetch(`${idp.issuer}/.well-known/openid-configuration`)).json()
    expect(metadata).toMatchObject({
      issuer: idp.issuer,
      grant_types_supported: expect.arrayContaining(['authorization_code', EXCHANGE, DEVICE_GRANT]),
      code_challenge_methods_supported: ['S256'],
    })
    const { keys }: { keys: object[] } = JSON.parse(await (await fetch(`${idp.issuer}/jwks`)).text())
    expect(keys).toHaveLength(1)
    expect(keys[0]).not.toHaveProperty('d')
  })

  it.each(PERSONAS)('gives a token for $name', async ({ name, kind, groups }) => {
    const claims = await verified(await idp.token(name))
    expect(claims).toMatchObject({ sub: name, groups })
    expect(claims['client_id'] === name).toBe(kind === 'agent')
    expect(claims).not.toHaveProperty('act')
  })

  it('gives an agent a token on behalf of a person, no longer than the person has one', async () => {
    const person = await idp.token('dora')
    const { status, body } = await exchange(person)
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { issued_token_type: ACCESS_TOKEN, token_type: 'Bearer' },
    })
    const claims = await verified(String(body['access_token']))
    expect(claims).toMatchObject({
      sub: 'dora',
      groups: ['dba'],
      act: { sub: 'insight-agent', groups: ['data-science'] },
      client_id: 'insight-agent',
    })
    expect(claims.exp).toBeLessThanOrEqual(decodeJwt(person).exp ?? 0)
  })

  it('does not exchange what is no valid token of a person', async () => {
    const delegated = await idp.token('insight-agent', { onBehalfOf: 'ana' })
    const [header, , signature] = (await idp.token('ana')).split('.')
    const payload = Buffer.from(JSON.stringify({ ...decodeJwt(delegated), act: undefined })).toString(
      'base64url',
    )
    for (const subject of [
      '',
      'x',
      delegated,
      await idp.token('deploy-agent'),
      `${header}.${payload}.${signature}`,
    ]) {
      expect(await exchange(subject)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    }
  })

  it('does not exchange with an actor token, or for another audience', async () => {
    const person = await idp.token('ana')
    expect((await exchange(person, { actor_token: person })).body['error']).toBe('invalid_request')
    expect((await exchange(person, { audience: 'payroll' })).body['error']).toBe('invalid_target')
  })

  it('lets no client without a secret exchange, or take an agent for a person', async () => {
    const subject = { subject_token: await idp.token('ana'), subject_token_type: ACCESS_TOKEN }
    expect((await post('/token', { grant_type: EXCHANGE, ...subject, ...CLI })).status).toBe(400)
    const grant = 'urn:sallyport:grant-type:dev-persona'
    const answer = await post('/token', { grant_type: grant, persona: 'deploy-agent', ...CLI })
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })

  it('signs a person in with a code and PKCE, on a page that says it is for development', async () => {
    const verifier = randomBytes(32).toString('base64url')
    const redirect = { redirect_uri: 'http://127.0.0.1:8976/callback' }
    const query = new URLSearchParams({
      ...CLI,
      ...redirect,
      response_type: 'code',
      scope: 'openid profile groups',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
    const browser = new Browser()
    const chooser = await browser.open(`/auth?${query.toString()}`)
    expect(chooser.html).toContain('Development only')
    const { url } = await browser.open(chooser.url, { persona: 'omar' })
    const code = new URL(url).searchParams.get('code') ?? ''
    const answer = await post('/token', {
      ...CLI,
      ...redirect,
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
    })
    expect(await verified(String(answer.body['access_token']))).toMatchObject({
      sub: 'omar',
      groups: ['devops'],
    })
    expect(decodeJwt(String(answer.body['id_token']))).toMatchObject({ sub: 'omar', aud: 'sallyport-cli' })
  })

  it('refuses a code without PKCE', async () => {
    const query = new URLSearchParams({
      ...CLI,
      redirect_uri: 'http://127.0.0.1:8976/callback',
      response_type: 'code',
      scope: 'openid',
    })
    const { url } = await new Browser().open(`/auth?${query.toString()}`)
    expect(new URL(url).searchParams.get('error')).toBe('invalid_request')
  })

  it('signs a person in with the device flow', async () => {
    const { body } = await post('/device/auth', { ...CLI, scope: 'openid' })
    const redeem = async () =>
      await post('/token', { ...CLI, grant_type: DEVICE_GRANT, device_code: String(body['device_code']) })
    expect((await redeem()).body['error']).toBe('authorization_pending')

    const browser = new Browser()
    const input = await browser.open('/device')
    const code = { user_code: String(body['user_code']), xsrf: fieldOf(input.html, 'xsrf') }
    const confirm = await browser.open('/device', code)
    const chooser = await browser.open('/device', {
      ...code,
      xsrf: fieldOf(confirm.html, 'xsrf'),
      confirm: 'yes',
    })
    const done = await browser.open(chooser.url, { persona: 'dora' })
    expect(done.html).toContain('You can close this page')
    expect(await verified(String((await redeem()).body['access_token']))).toMatchObject({
      sub: 'dora',
      groups: ['dba'],
    })
  })

  it('answers only to its own name, so that no web page can reach it by rebinding one', async () => {
    const { port } = new URL(idp.issuer)
    const status = await new Promise((resolve, reject) => {
      const path = '/.well-known/openid-configuration'
      httpRequest(
        { host: '127.0.0.1', port, path, headers: { host: `evil.example:${port}` } },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
        .on('error', reject)
        .end()
    })
    expect(status).toBe(421)
  })

  it.each(['0.0.0.0', '::', '192.0.2.1', 'localhost', '127.evil.example', ''])(
    'refuses to listen on "%s"',
    async (host) => {
      await expect(startDevIdp({ port: 0, host, log: () => {} })).rejects.toThrow('loopback only')
    },
  )

  it('refuses a token for nobody, and for a person on behalf of another', async () => {
    await expect(idp.token('mallory')).rejects.toThrow('there is no "mallory"')
    await expect(idp.token('ana', { onBehalfOf: 'dora' })).rejects.toThrow('only agents act')
    await expect(idp.token('insight-agent', { onBehalfOf: 'deploy-agent' })).rejects.toThrow('there is no')
  })

  it('keeps its signing key under the data directory, readable by its owner only', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'sallyport-idp-'))
    try {
      const start = async (): Promise<string | undefined> => {
        const one = await startDevIdp({ port: 0, dataDir, log: () => {} })
        const token = await one.token('ana')
        await one.close()
        return decodeProtectedHeader(token).kid
      }
      expect(await start()).toBe(await start())
      const file = join(dataDir, 'dev-idp', 'signing-key.json')
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      expect(JSON.parse(await readFile(file, 'utf8'))).toHaveProperty('d')
    } finally {
      await rm(dataDir, { recursive: true })
    }
  })

  it('prints nothing of its own accord, and logs no secret', () => {
    expect(printed).toEqual([])
    expect(logged).toEqual([expect.stringContaining('anybody')])
  })
})
