import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { type Ended, installed, runProgram, startProgram } from '../harness/programs.ts'
import { endOf } from '../harness/session-end.ts'
import type { TokenWish } from '../harness/test-world.ts'

// Whole processes start and end in here, on machines that do much else at the same time.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const BIN = join(import.meta.dirname, '../../packages/cli/bin/sallyport.js')
const ADMIN = { groups: ['readers', 'admins'] }

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway({
    files: {
      'down.yaml': `
kind: Target
name: down
protocol: postgres
address: 127.0.0.1:1
database: shop
tls: disable
credentials: { issuer: postgres-role, username: sallyport_issuer, password: { env: TEST_ISSUER_PASSWORD }, ttl: 15m }
`,
    },
  })
})
afterAll(() => world[Symbol.asyncDispose]())

async function environment(principal: string, wish?: TokenWish): Promise<Record<string, string>> {
  return { SALLYPORT_URL: world.access.url, SALLYPORT_TOKEN: await world.token(principal, wish) }
}

async function sallyport(args: readonly string[], wish?: TokenWish, principal = 'ana'): Promise<Ended> {
  return await runProgram(process.execPath, [BIN, ...args], {
    env: await environment(principal, wish),
    cwd: world.folder,
  })
}

describe('classify', () => {
  test('proposes resources from names, types and values, and says why', async () => {
    const { code, stdout, stderr } = await sallyport(['classify', 'shop'])
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('{ field: public.customers.email, class: pii.email } # likely')
    expect(stdout).toContain('{ field: public.customers.name, class: pii.name } # possible')
    expect(stderr).toContain('+ public.customers.email: pii.email (its name; 200 of 200 values look like it)')
  })

  test('what it proposes can be applied as it is', async () => {
    const { stdout } = await sallyport(['classify', 'shop', '--no-samples'])
    const folder = join(world.folder, 'classified')
    await mkdir(folder)
    for (const name of ['targets.yaml', 'policies.cedar', 'down.yaml']) {
      await writeFile(join(folder, name), await readFile(join(world.resources, name)))
    }
    await writeFile(join(folder, 'classification.yaml'), stdout)
    const applied = await sallyport(['apply', folder], ADMIN, 'eve')
    expect(applied, applied.stderr).toMatchObject({ code: 0, stdout: '+ classification.yaml\n' })
    expect((await sallyport(['apply', world.resources], ADMIN, 'eve')).code).toBe(0)
  })

  test('prints all that it found out as JSON, without tables that are closed to the caller', async () => {
    const { code, stdout, stderr } = await sallyport(['classify', 'shop', '-o', 'json'])
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      target: 'shop',
      fields: expect.arrayContaining([
        {
          field: 'public.customers.email',
          class: 'pii.email',
          because: 'its name; 200 of 200 values look like it',
          certainty: 'likely',
        },
      ]),
    })
    expect(stdout).not.toContain('public.secrets')
  })

  test('of a target that nobody knows nothing is proposed', async () => {
    expect(await sallyport(['classify', 'nowhere'])).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('query', () => {
  test('prints rows on stdout, all else on stderr: 0', async () => {
    const sql = 'SELECT id, name FROM customers WHERE id <= $1 ORDER BY id'
    const { code, stdout, stderr } = await sallyport(['query', 'shop', sql, '-p', '2', '-o', 'json'])
    expect({ code, rows: JSON.parse(stdout) }, stderr).toEqual({
      code: 0,
      rows: [
        { id: 1, name: 'Customer 1' },
        { id: 2, name: 'Customer 2' },
      ],
    })
    const table = await sallyport(['query', 'shop', sql, '-p', '1'])
    expect(table.stdout).toMatch(/id +name/i)
    expect(table.stderr).toContain('SELECT 1')
  })

  test('says that it cut rows off', async () => {
    const { code, stdout, stderr } = await sallyport([
      'query',
      'shop',
      'TABLE customers',
      '--max-rows',
      '3',
      '-o',
      'jsonl',
    ])
    expect({ code, lines: stdout.trim().split('\n').length }).toEqual({ code: 0, lines: 3 })
    expect(stderr).toContain('truncated')
  })

  test('does not take COPY for rows, and says what does', async () => {
    for (const sql of ['COPY customers TO STDOUT', 'COPY notes FROM STDIN']) {
      const { code, stdout, stderr } = await sallyport(['query', 'shop', sql], {
        groups: ['readers', 'writers'],
      })
      expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('sallyport connect shop')
    }
  })

  test('tells a script in JSON what was denied, and by whom', async () => {
    const { code, stderr } = await sallyport(['query', 'shop', 'DROP TABLE customers', '-o', 'json'])
    expect(code).toBe(4)
    expect(JSON.parse(stderr)).toMatchObject({
      code: 'ACCESS_POLICY_DENIED',
      policies: ['structure-is-fixed'],
      hint: 'propose a migration instead',
    })
  })

  test.each<[number, string, readonly string[], TokenWish]>([
    [1, "the target's own error", ['query', 'shop', 'SELECT nope'], {}],
    [2, 'a target that is not there', ['query', 'nowhere', 'SELECT 1'], {}],
    [2, 'an option that is not there', ['query', 'shop', 'SELECT 1', '--nope'], {}],
    [3, 'a token that has expired', ['query', 'shop', 'SELECT 1'], { expires: 1 }],
    [4, 'a statement that policy denies', ['query', 'shop', 'SELECT * FROM secrets'], {}],
    [4, 'a target that policy keeps closed', ['query', 'shop', 'SELECT 1'], { groups: [] }],
    [7, 'a target that is down', ['query', 'down', 'SELECT 1'], {}],
  ])('exit code %i: %s', async (expected, _, args, wish) => {
    const { code, stdout, stderr } = await sallyport(args, wish)
    expect({ code, stdout }, stderr).toEqual({ code: expected, stdout: '' })
    expect(stderr).toMatch(/✗/)
  })

  test('exit codes 3 and 7: no token, no gateway', async () => {
    const args = [BIN, 'query', 'shop', 'SELECT 1']
    const none = await runProgram(process.execPath, args, {
      env: { SALLYPORT_URL: world.access.url },
      cwd: world.folder,
    })
    expect(none.code).toBe(3)
    const env = { ...(await environment('ana')), SALLYPORT_URL: 'http://127.0.0.1:1' }
    expect((await runProgram(process.execPath, args, { env, cwd: world.folder })).code).toBe(7)
  })
})

describe('run and connect', () => {
  const PSQL = installed('psql')

  test.skipIf(PSQL === undefined)('a child works through its endpoint, which ends with it', async () => {
    const look = 'echo "$PGHOST:$PGPORT"; psql -X -A -t -c "SELECT count(*) FROM customers"; exit 23'
    const { code, stdout, stderr } = await sallyport(['run', '--on', 'shop', '--', 'sh', '-c', look])
    expect(code, stderr).toBe(23)
    const [address = '', count] = stdout.trim().split('\n')
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(count).toBe('1000')
    const [host = '', port = ''] = address.split(':')
    const after = await runProgram(PSQL ?? '', ['-X', '-c', 'SELECT 1'], {
      env: { PGHOST: host, PGPORT: port },
    })
    expect(after.code).toBe(2)
  })

  test.skipIf(PSQL === undefined)('connect opens psql and passes its exit code on', async () => {
    const { code, stdout } = await sallyport([
      'connect',
      'shop',
      '--',
      '-X',
      '-A',
      '-t',
      '-c',
      'SELECT 6 * 7',
    ])
    expect({ code, stdout }).toEqual({ code: 0, stdout: '42\n' })
    const denied = await sallyport(['connect', 'shop', '--', '-X', '-c', 'DROP TABLE notes'])
    expect(denied.code).toBe(1)
    expect(denied.stderr).toContain('denied by policy')
  })

  test('no child is started when there is no way to the target', async () => {
    const { code, stdout } = await sallyport(['run', '--on', 'nowhere', '--', 'echo', 'ran'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('its ticket is worth nothing once the child has ended', async () => {
    const { stdout } = await sallyport(['run', '--on', 'shop', '--', 'sh', '-c', 'echo $PGPASSWORD'])
    await expect(world.access.connect('ana', { password: stdout.trim() })).rejects.toMatchObject({
      code: '28P01',
    })
  })
})

describe('sessions and leases', () => {
  test('list, show and kill', async () => {
    const client = await world.access.connect('omar')
    await client.query('SELECT name FROM customers WHERE id = 11')
    const ended = endOf(client)
    const listed = await sallyport(
      ['sessions', 'list', '--live', '--principal', 'omar', '-o', 'json'],
      ADMIN,
      'eve',
    )
    const [{ id }] = JSON.parse(listed.stdout) as [{ id: string }]
    const shown = await sallyport(['sessions', 'show', id], ADMIN, 'eve')
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('SELECT name FROM customers WHERE id = 11'),
    })
    expect(shown.stdout).toContain('readers-read')
    expect((await sallyport(['sessions', 'show', id])).code).toBe(2)
    expect((await sallyport(['sessions', 'kill', id])).code).toBe(2)
    expect((await sallyport(['sessions', 'kill', id], ADMIN, 'eve')).code).toBe(0)
    expect(await ended).toMatchObject({ code: '57P01', message: expect.stringContaining('killed by eve') })
    expect((await sallyport(['sessions', 'kill', id], ADMIN, 'eve')).code).toBe(9)
  })

  test('list and revoke', async () => {
    const client = await world.access.connect('leased')
    const { rows } = await client.query<{ role: string }>('SELECT current_user AS role')
    const ended = endOf(client)
    expect((await sallyport(['leases', 'list'])).code).toBe(4)
    const listed = await sallyport(['leases', 'list', '-o', 'json'], ADMIN, 'eve')
    const leases = JSON.parse(listed.stdout) as { id: string; handle: string }[]
    const lease = leases.find(({ handle }) => handle === rows[0]?.role)?.id ?? ''
    expect((await sallyport(['leases', 'revoke', lease])).code).toBe(4)
    expect((await sallyport(['leases', 'revoke', lease], ADMIN, 'eve')).code).toBe(0)
    expect(await ended).toMatchObject({ code: '57P01' })
    expect((await sallyport(['leases', 'revoke', 'lea_nothing'], ADMIN, 'eve')).code).toBe(2)
  })
})

describe('apply', () => {
  test('puts a directory into force, says what changes, and needs leave to', async () => {
    const folder = join(world.folder, 'wanted')
    await mkdir(folder)
    for (const name of ['targets.yaml', 'policies.cedar', 'down.yaml']) {
      await writeFile(join(folder, name), await readFile(join(world.resources, name)))
    }
    await writeFile(
      join(folder, 'more.cedar'),
      '@id("cities-closed")\nforbid (principal, action, resource == Table::"shop/public.cities");\n',
    )
    expect((await sallyport(['apply', folder])).code).toBe(4)
    const dry = await sallyport(['apply', folder, '--dry-run'], ADMIN, 'eve')
    expect(dry).toMatchObject({ code: 0, stdout: '+ more.cedar\n' })
    expect((await sallyport(['query', 'shop', 'TABLE cities'])).code).toBe(0)
    expect((await sallyport(['apply', folder], ADMIN, 'eve')).code).toBe(0)
    expect((await sallyport(['query', 'shop', 'TABLE cities'])).code).toBe(4)
    const again = await sallyport(['apply', folder], ADMIN, 'eve')
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to change') })

    await writeFile(join(folder, 'more.cedar'), 'permit (principal, action == Action::"fly", resource);\n')
    const broken = await sallyport(['apply', folder], ADMIN, 'eve')
    expect(broken.code).toBe(2)
    expect(broken.stderr).toContain('more.cedar:1')
    expect((await sallyport(['query', 'shop', 'TABLE cities'])).code).toBe(4)
    expect((await sallyport(['apply', world.resources], ADMIN, 'eve')).code).toBe(0)
    expect((await sallyport(['query', 'shop', 'TABLE cities'])).code).toBe(0)
  })
})

describe('doctor and serve', () => {
  const doctor = (env: Record<string, string>, config = world.config): Promise<Ended> =>
    runProgram(process.execPath, [BIN, 'doctor', '--config', config, '-o', 'json'], { env })

  test('doctor finds what is wrong, and what to do about it: 1', async () => {
    const { code, stdout } = await doctor({ TEST_ISSUER_PASSWORD: 'wrong' })
    const findings = JSON.parse(stdout) as { about: string; ok: boolean; mend?: string }[]
    expect(code).toBe(1)
    const shop = findings.filter(({ about, ok }) => about === 'shop' && !ok)
    expect(shop[0]?.mend).toMatch(/./)
    expect(findings.find(({ about }) => about === 'issuer')).toMatchObject({ ok: true })
    expect(findings.find(({ about }) => about === 'store')).toMatchObject({ ok: true })
    expect(stdout).not.toContain('wrong')
  })

  test('doctor is content with what works: 0', async () => {
    const folder = join(world.folder, 'sound')
    await mkdir(join(folder, 'resources'), { recursive: true })
    await writeFile(join(folder, 'sallyport.yaml'), await readFile(world.config))
    for (const name of ['targets.yaml', 'policies.cedar']) {
      await writeFile(join(folder, 'resources', name), await readFile(join(world.resources, name)))
    }
    const { code, stdout } = await doctor(world.env, join(folder, 'sallyport.yaml'))
    const findings = JSON.parse(stdout) as { ok: boolean }[]
    expect(findings.filter(({ ok }) => !ok)).toEqual([])
    expect(code).toBe(0)
  })

  test('doctor says that the resources are not there: 1', async () => {
    const config = join(world.folder, 'no-resources.yaml')
    await writeFile(config, 'dataDir: ./none\nresources: ./nowhere\n')
    const { code, stdout } = await doctor({}, config)
    const findings = JSON.parse(stdout) as { about: string; ok: boolean }[]
    expect(code).toBe(1)
    expect(findings.find(({ about }) => about === 'resources')).toMatchObject({ ok: false })
  })

  test('serve without its database says why: 7', async () => {
    const config = join(world.folder, 'no-store.yaml')
    await writeFile(
      config,
      'listen: { http: 127.0.0.1:0, postgres: 127.0.0.1:0 }\ndataDir: ./none\ndatabase: postgres://u:p@127.0.0.1:1/x\n',
    )
    const { code, stderr } = await runProgram(process.execPath, [BIN, 'serve', '--config', config])
    expect(code).toBe(7)
    expect(stderr).toContain('ECONNREFUSED')
  })

  test('serve with a configuration that is wrong says where: 2', async () => {
    const config = join(world.folder, 'wrong.yaml')
    await writeFile(config, 'listen: { http: nowhere }\n')
    const { code, stderr } = await runProgram(process.execPath, [BIN, 'serve', '--config', config])
    expect(code).toBe(2)
    expect(stderr).toContain('listen.http')
  })

  test('a second gateway on the same store does not start', async () => {
    const { child, ended } = startProgram(process.execPath, [BIN, 'serve', '--config', world.config], {
      env: world.env,
    })
    // One that does start must not outlive the test.
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
    const { code, stderr } = await ended
    clearTimeout(timer)
    expect(code).not.toBe(0)
    expect(stderr).toContain('STORE_UNAVAILABLE')
  })
})
