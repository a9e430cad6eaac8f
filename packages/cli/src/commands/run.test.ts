import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { sallyport, startSallyport, stubGateway, TICKET } from '../stub-gateway.fixture.ts'

const TOKEN = { SALLYPORT_TOKEN: 'a-bearer-token' }
/** A child that tells the port that it was given, and then lives until it is told to end. */
const WAITING = ['sh', '-c', 'trap "exit 41" TERM INT; echo $PGPORT; while :; do sleep 0.05; done']

async function refused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.once('error', () => resolve(true))
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
  })
}

test("the child's exit code is ours", async () => {
  await using gateway = await stubGateway()
  const { code } = await sallyport(
    ['run', '--on', 'shop', '--gateway', gateway.url, '--', 'sh', '-c', 'exit 23'],
    TOKEN,
  )
  expect(code).toBe(23)
})

test('the child sees its way to the target, and none of the secrets that it is not to see', async () => {
  await using gateway = await stubGateway()
  const args = [
    'run',
    '--gateway',
    gateway.url,
    '--on',
    'shop',
    'billing-db',
    '--strip',
    'API_KEY',
    'AWS_*',
    '--',
    'env',
  ]
  const ambient = { ...TOKEN, API_KEY: 'k', AWS_SECRET: 's', KEPT: 'yes', PGSERVICE: 'other' }
  const { code, stdout } = await sallyport(args, ambient)
  const env = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s)),
  )
  expect(code).toBe(0)
  expect(env).toMatchObject({
    PGHOST: '127.0.0.1',
    PGUSER: 'ana',
    PGDATABASE: 'shop',
    PGPASSWORD: TICKET,
    KEPT: 'yes',
  })
  expect(env).toMatchObject({ PGSSLMODE: 'disable', DATABASE_URL: env['SALLYPORT_SHOP_URL'] })
  expect(env['SALLYPORT_BILLING_DB_URL']).toMatch(
    /^postgresql:\/\/ana:spt_test-ticket@127\.0\.0\.1:\d+\/shop\?sslmode=disable$/,
  )
  expect(Object.keys(env)).not.toEqual(expect.arrayContaining(['API_KEY']))
  for (const name of ['API_KEY', 'AWS_SECRET', 'SALLYPORT_TOKEN', 'PGSERVICE'])
    expect(env).not.toHaveProperty(name)
})

test('the endpoint leads to the gateway while the child lives, and both it and the ticket end with the child', async () => {
  await using gateway = await stubGateway()
  const { child, finished } = startSallyport(
    ['run', '--on', 'shop', '--gateway', gateway.url, '--', ...WAITING],
    TOKEN,
  )
  const [line] = (await once(child.stdout ?? child, 'data')) as [string]
  const port = Number(line)
  const socket = connect(port, '127.0.0.1')
  socket.write('hello')
  const [echo] = (await once(socket, 'data')) as [Buffer]
  expect(echo.toString()).toBe('hello')

  const closed = once(socket, 'close')
  child.kill('SIGTERM')
  expect((await finished).code).toBe(41)
  await closed
  expect(await refused(port)).toBe(true)
  expect(gateway.requests).toEqual(['POST /api/v1/tickets', 'DELETE /api/v1/tickets/tkt_1'])
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s reaches the child, and the ticket is revoked afterwards',
  async (signal) => {
    await using gateway = await stubGateway()
    const { child, finished } = startSallyport(
      ['run', '--on', 'shop', '--gateway', gateway.url, '--', ...WAITING],
      TOKEN,
    )
    await once(child.stdout ?? child, 'data')
    child.kill(signal)
    expect((await finished).code).toBe(41)
    expect(gateway.requests.at(-1)).toBe('DELETE /api/v1/tickets/tkt_1')
  },
)

test('a child that a signal ended counts as 128 and the signal', async () => {
  await using gateway = await stubGateway()
  const args = ['run', '--on', 'shop', '--gateway', gateway.url, '--', 'sh', '-c', 'kill -KILL $$']
  expect((await sallyport(args, TOKEN)).code).toBe(137)
})

test('a program that is not there is a usage error, and its ticket is revoked', async () => {
  await using gateway = await stubGateway()
  const { code, stderr } = await sallyport(
    ['run', '--on', 'shop', '--gateway', gateway.url, '--', '/nonexistent'],
    TOKEN,
  )
  expect(code).toBe(2)
  expect(stderr).toContain('cannot start /nonexistent')
  expect(gateway.requests.at(-1)).toBe('DELETE /api/v1/tickets/tkt_1')
})

test('purpose and time to live go into the request for the ticket', async () => {
  await using gateway = await stubGateway()
  const wish = ['--purpose', 'monthly report', '--ttl', '5m']
  await sallyport(['run', '--on', 'shop', ...wish, '--gateway', gateway.url, '--', 'true'], TOKEN)
  expect(gateway.bodies[0]).toEqual({ target: 'shop', purpose: 'monthly report', ttl: 300 })
})

test('no child is started when the gateway takes no PostgreSQL connections: 7, and the ticket is revoked', async () => {
  const env = { PGHOST: '127.0.0.1', PGPORT: '1', PGUSER: 'ana', PGDATABASE: 'shop' }
  const connection = { url: 'postgresql://ana@127.0.0.1:1/shop', env }
  const body = { ticket: TICKET, id: 'tkt_1', expiresAt: '2030-01-01T00:00:00.000Z', connection }
  await using gateway = await stubGateway({ 'POST /api/v1/tickets': { status: 201, body } })
  const { code, stdout } = await sallyport(
    ['run', '--on', 'shop', '--gateway', gateway.url, '--', 'echo', 'ran'],
    TOKEN,
  )
  expect({ code, stdout }).toEqual({ code: 7, stdout: '' })
  expect(gateway.requests.at(-1)).toBe('DELETE /api/v1/tickets/tkt_1')
})

test('the ticket is in no argument of a process, and not in our own output', async () => {
  await using gateway = await stubGateway()
  const look = 'cat /proc/$PPID/cmdline /proc/$$/cmdline | tr "\\0" " "'
  const { stdout, stderr } = await sallyport(
    ['run', '--on', 'shop', '--gateway', gateway.url, '--', 'sh', '-c', look],
    TOKEN,
  )
  expect(stdout + stderr).not.toContain(TICKET)
  expect(stdout + stderr).not.toContain(TOKEN.SALLYPORT_TOKEN)
})
