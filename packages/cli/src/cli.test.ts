import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { failureOf } from './failure.ts'
import { type Answer, problem, sallyport, stubGateway } from './stub-gateway.fixture.ts'

const TOKEN = { SALLYPORT_TOKEN: 'a-bearer-token' }

test.each<[why: string, args: string[]]>([
  ['no command', []],
  ['an unknown command', ['frobnicate']],
  ['an unknown option', ['whoami', '--frobnicate']],
  ['a missing argument', ['query']],
  ['an argument too many', ['whoami', 'ana']],
  ['a group without a command', ['sessions']],
  ['an unknown format', ['whoami', '-o', 'xml']],
  ['no target for run', ['run', '--', 'true']],
  ['a bad time', ['run', '--on', 'shop', '--ttl', 'soon', '--', 'true']],
  ['a bad number of rows', ['query', 'shop', 'SELECT 1', '--max-rows', '-1']],
  ['an address that is none', ['whoami', '--gateway', 'here']],
  ['a token file that is not there', ['whoami', '--token-file', '/nonexistent']],
  ['no SQL', ['query', 'shop', ' ']],
])('%s is a usage error: 2', async (_, args) => {
  const { code, stdout, stderr } = await sallyport(args, TOKEN)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^✗ .*\[USAGE\]\n/)
})

test.each<[exit: number, answer: Answer]>([
  [1, problem(500, 'INTERNAL', 'the gateway failed')],
  [2, problem(400, 'REQUEST_INVALID', 'no')],
  [3, problem(401, 'AUTH_TOKEN_EXPIRED', 'the token ended')],
  [4, problem(403, 'ACCESS_POLICY_DENIED', 'not permitted')],
  [7, problem(502, 'TARGET_UNREACHABLE', 'no route')],
  [7, problem(503, 'STORE_UNAVAILABLE', 'no store')],
  [9, problem(409, 'RESOURCE_CONFLICT', 'changed since')],
  [3, problem(401, 'SOME_CODE_OF_LATER', 'unknown to us')],
  [7, { status: 200, body: { something: 'else' } }],
])('exits with %i when the gateway answers %j', async (exit, answer) => {
  await using gateway = await stubGateway({ 'GET /api/v1/whoami': answer })
  const { code, stdout } = await sallyport(['whoami', '--gateway', gateway.url], TOKEN)
  expect({ code, stdout }).toEqual({ code: exit, stdout: '' })
})

test.each([
  [2, 'CONFIG_INVALID'],
  [7, 'STORE_UNAVAILABLE'],
  [1, 'RECORDING_FAILED'],
  [1, 'EACCES'],
])('exits with %i when something here fails with %s', (exitCode, code) => {
  expect(failureOf(Object.assign(new Error('no'), { code }))).toMatchObject({ exitCode, code })
})

test('what the system said below an error of ours is shown, and nothing else of what is below', () => {
  const unreachable = (cause: Error) =>
    failureOf(Object.assign(new Error('no store', { cause }), { code: 'STORE_UNAVAILABLE' })).details.why
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { syscall: 'connect' })
  expect(unreachable(refused)).toBe('connect ECONNREFUSED 127.0.0.1:1')
  expect(unreachable(new Error('postgres://u:secret@host'))).toBeUndefined()
})

test('mistakes in files are listed once, each with its place', async () => {
  const detail = 'a.cedar:1:2: no (yes)'
  const errors = [{ file: 'a.cedar', line: 1, column: 2, message: 'no', hint: 'yes' }]
  await using gateway = await stubGateway({
    'GET /api/v1/whoami': problem(422, 'RESOURCE_INVALID', detail, { errors }),
  })
  const { code, stderr } = await sallyport(['whoami', '--gateway', gateway.url], TOKEN)
  expect(code).toBe(2)
  expect(stderr).toContain('the resources have mistakes')
  expect(stderr.match(/a\.cedar:1:2/g)).toHaveLength(1)
})

test('without a token: 3, and how to get one', async () => {
  const { code, stderr } = await sallyport(['whoami'])
  expect(code).toBe(3)
  expect(stderr).toContain('SALLYPORT_TOKEN')
})

test('without a gateway: 7, and its address', async () => {
  const { code, stderr } = await sallyport(['whoami', '--gateway', 'http://127.0.0.1:1'], TOKEN)
  expect(code).toBe(7)
  expect(stderr).toContain('127.0.0.1:1')
})

test('with -o json an error is problem details on stderr', async () => {
  const more = { hint: 'ask', policies: ['p1'] }
  await using gateway = await stubGateway({
    'GET /api/v1/whoami': problem(403, 'ACCESS_POLICY_DENIED', 'no', more),
  })
  const { stderr, stdout } = await sallyport(['whoami', '-o', 'json', '--gateway', gateway.url], TOKEN)
  expect(stdout).toBe('')
  expect(JSON.parse(stderr)).toMatchObject({
    title: 'no',
    status: 403,
    code: 'ACCESS_POLICY_DENIED',
    hint: 'ask',
    policies: ['p1'],
    requestId: 'req_1',
  })
})

test('the token comes from a file as well, and the address from the environment', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-cli-'))
  try {
    const file = join(folder, 'token')
    await writeFile(file, 'a-token\n')
    const ana = {
      kind: 'user',
      id: 'ana',
      issuer: 'https://idp',
      subject: 'ana',
      groups: ['dba'],
      attributes: {},
    }
    await using gateway = await stubGateway({ 'GET /api/v1/whoami': { status: 200, body: ana } })
    const env = { SALLYPORT_URL: gateway.url, SALLYPORT_TOKEN_FILE: file }
    expect(await sallyport(['whoami', '-o', 'json'], env)).toMatchObject({ code: 0, stderr: '' })
    expect((await sallyport(['whoami'], env)).stdout).toBe('user ana\n  groups  dba\n  issuer  https://idp\n')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a failure ends in plain text when NO_COLOR is set, and in colour when that is forced', async () => {
  const plain = await sallyport(['whoami'], { NO_COLOR: '1', FORCE_COLOR: '1' })
  const coloured = await sallyport(['whoami'], { FORCE_COLOR: '1' })
  expect(plain.stderr).not.toContain('\u001b')
  expect(coloured.stderr).toContain('\u001b[31m✗')
})

test.each([['--help'], ['--version'], ['run --help']])('%s prints to stdout: 0', async (line) => {
  const { code, stdout, stderr } = await sallyport(line.split(' '))
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).not.toBe('')
})

test('dev token without a running dev says where it looked: 2', async () => {
  const { code, stderr } = await sallyport(['dev', 'token', 'ana'])
  expect(code).toBe(2)
  expect(stderr).toContain('no `sallyport dev` runs in /')
})
