import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import pg from 'pg'
import { isFree } from '../../packages/cli/src/dev/free-port.ts'
import { type DevEnvironment, startDev } from '../../packages/cli/src/dev/start-dev.ts'
import { failureOf, failureText } from '../../packages/cli/src/failure.ts'
import { loadGateway } from '../../packages/cli/src/gateway-module.ts'
import { untilStopped } from '../../packages/cli/src/until-stopped.ts'
import { runAgent } from './run-agent.ts'
import { screenOn } from './screen.ts'
import { CHANGE_PROMPT, CHANGE_TURNS, PAYMENT, PROMPT, TURNS } from './script.ts'
import { type Block, startScriptedModel } from './scripted-model.ts'
import { RoleWatch } from './watch-roles.ts'

const { values: asked } = parseArgs({ options: { once: { type: 'boolean' }, folder: { type: 'string' } } })
const isOnce = asked.once === true
// The tour that ends by itself must not be in the way of one that stays up: not in its folder, nor on its ports.
const folder = asked.folder ?? join(import.meta.dirname, isOnce ? '../../.demo/once' : '../../.demo')
const screen = screenOn(process.stdout)

/** What the agent got back, by what it had asked. */
type Seen = ReadonlyMap<string, { readonly text: string; readonly isError: boolean }>

async function main(): Promise<boolean> {
  mkdirSync(folder, { recursive: true })
  screen.title(
    'Sallyport: a Claude agent works on a real PostgreSQL, on a credential that exists only while it works',
  )
  const quiet = (): void => undefined
  await using dev = await startDev(await loadGateway(), {
    folder,
    env: process.env,
    ports: isOnce
      ? { http: 0, postgres: 0, idp: 0 }
      : { http: await usual(7400), postgres: await usual(7432), idp: await usual(7401) },
    log: {
      debug: quiet,
      info: quiet,
      warn: quiet,
      error: (fields, message) => console.error(message, fields),
    },
    progress: (line) => screen.line(`· ${line}`),
  })
  if (dev.shopUrl === undefined) throw new Error(`${folder} has a sallyport.yaml of its own`)
  const passed = await tour(dev, dev.shopUrl)
  if (isOnce || !passed) return passed
  await stayUp(dev)
  return true
}

/** The port that the documentation names, or any where that one is taken. */
async function usual(port: number): Promise<number> {
  if (await isFree(port)) return port
  screen.line(`· port ${port} is taken: using a free one`)
  return 0
}

async function tour(dev: DevEnvironment, shopUrl: string): Promise<boolean> {
  await using watch = await RoleWatch.start(shopUrl)
  let passed = true
  const check = (ok: boolean, text: string): void => {
    screen.check(ok, text)
    passed &&= ok
  }

  screen.title('1  The agent works')
  const token = await dev.idp.token('insight-agent', { onBehalfOf: 'ana' })
  screen.line(
    'insight-agent, on behalf of ana (data-science), through MCP; its only credential is a short-lived token',
  )
  const before = new Date()
  const seen = await watchAgent(dev, token, PROMPT, TURNS)
  const read = seen.get('read')
  check(
    read !== undefined && !read.isError && read.text.includes('rowCount'),
    'it read what policy lets data-science read',
  )

  screen.title('2  Its role on the target: there while it worked, and not afterwards')
  const role = /sp_[0-9a-f]{8}_l_\w+/.exec(seen.get('whoami')?.text ?? '')?.[0] ?? ''
  check(role !== '', `the database knew the agent as ${role || '?'}`)
  check(watch.saw(role), 'pg_stat_activity and pg_roles had it while the agent was connected')
  check(role !== '' && (await watch.gone(role, 10_000)), 'pg_roles has it no more')

  screen.title('3  DROP TABLE')
  const drop = seen.get('drop')
  check(
    drop?.isError === true && drop.text.includes('structure-is-fixed'),
    'denied by policy, before it reached the database',
  )
  const customers = await watch.count('customers')
  check(customers >= 10_000, `customers still has its ${customers} rows`)

  screen.title('4  What it may not see')
  const secrets = await watch.firstCustomers(3)
  const masked = seen.get('masked')
  const reversed = seen.get('reversed')
  check(
    masked?.isError === false && masked.text.includes('"masked":[{') && !showsAny(masked.text, secrets),
    'names, addresses, numbers and birthdays came back in their shape, and are nobody’s',
  )
  check(
    reversed !== undefined && !showsAny(reversed.text, secrets),
    'reverse(email) is followed back to email: masked as well',
  )

  screen.title('5  A change that a person looks at first')
  await approvedChange(dev, watch, check)

  screen.title("6  The agent's ticket, tried on the database itself")
  const refusal = await tryDirectly(dev, shopUrl, token)
  check(refusal !== undefined, refusal ?? 'the database let it in')

  screen.title('7  What was recorded')
  passed = (await showRecording(dev, before, check)) && passed
  return passed
}

/** Runs the agent and prints what it does as it happens. */
async function watchAgent(
  dev: DevEnvironment,
  token: string,
  prompt: string,
  turns: readonly (readonly Block[])[],
): Promise<Seen> {
  const key = process.env.ANTHROPIC_API_KEY
  await using model = key === undefined ? await startScriptedModel(turns) : undefined
  screen.line(
    model === undefined
      ? 'its model is the real one (ANTHROPIC_API_KEY is set)'
      : 'its model is a script (set ANTHROPIC_API_KEY for the real one); everything else is real',
  )
  const home = join(folder, 'agent')
  mkdirSync(home, { recursive: true })
  const seen = new Map<string, { readonly text: string; readonly isError: boolean }>()
  const calls = new Map<string, string>()
  const events = runAgent({
    prompt,
    mcpUrl: `${dev.url}/mcp`,
    token,
    home,
    path: process.env.PATH ?? '',
    model: {
      apiKey: key ?? 'not-a-key',
      name: 'claude-sonnet-4-5',
      ...(model === undefined ? {} : { baseUrl: model.url }),
    },
  })
  for await (const event of events) {
    if (event.kind === 'says') screen.line(`agent: ${event.text}`)
    else if (event.kind === 'calls') {
      const sql = event.input.sql
      calls.set(event.id, purposeOf(typeof sql === 'string' ? sql : ''))
      screen.line(`→ ${event.tool.replace('mcp__sallyport__', '')} ${typeof sql === 'string' ? sql : ''}`)
    } else if (event.kind === 'gets') {
      screen.quote(event.text)
      const purpose = calls.get(event.id)
      if (purpose !== undefined) seen.set(purpose, event)
    }
  }
  return seen
}

/** Which of the tour's questions a statement answers, whoever wrote it: the script or the real model. */
function purposeOf(sql: string): string {
  if (/\bdrop\s+table\b/i.test(sql)) return 'drop'
  if (/\bupdate\s+payments\b/i.test(sql)) return 'change'
  if (/\bbirth_date\b/i.test(sql)) return 'masked'
  if (/\breverse\s*\(/i.test(sql)) return 'reversed'
  return /\bcurrent_user\b/i.test(sql) ? 'whoami' : /\bcustomers\b/i.test(sql) ? 'read' : 'other'
}

function showsAny(text: string, secrets: readonly string[]): boolean {
  // What is in the shop is plain ASCII.
  const backwards = (secret: string): string => Array.from(secret).toReversed().join('')
  return secrets.some((secret) => text.includes(secret) || text.includes(backwards(secret)))
}

/** An agent wants to change a payment; the statement waits until dora, a database administrator, has said yes. */
async function approvedChange(
  dev: DevEnvironment,
  watch: RoleWatch,
  check: (ok: boolean, text: string) => void,
): Promise<void> {
  const token = await dev.idp.token('deploy-agent', { onBehalfOf: 'omar' })
  screen.line('deploy-agent, on behalf of omar (devops); dora (dba) decides')
  const before = await watch.amount(PAYMENT)
  const working = watchAgent(dev, token, CHANGE_PROMPT, CHANGE_TURNS)
  const sallyport = await cli(dev, 'dora')
  const waiting = await untilOneWaits(sallyport)
  check(
    waiting !== undefined && (await watch.amount(PAYMENT)) === before,
    'the statement waits, and the payment is as it was',
  )
  if (waiting !== undefined) {
    screen.line(`$ sallyport approvals show ${waiting}`)
    screen.quote(await sallyport('approvals', 'show', waiting), 30)
    await sallyport('approvals', 'approve', waiting, '--reason', 'checked in the ledger')
    screen.line(`$ sallyport approvals approve ${waiting} --reason "checked in the ledger"`)
  }
  const change = (await working).get('change')
  check(
    change?.isError === false && (await watch.amount(PAYMENT)) === before - 1,
    'approved: exactly that statement ran, once',
  )
}

/** @returns the id of the request for approval, or undefined when none came */
async function untilOneWaits(sallyport: Cli): Promise<string | undefined> {
  for (let tries = 0; tries < 60; tries++) {
    const listed = JSON.parse(await sallyport('approvals', 'list', '--mine', '-o', 'json')) as {
      readonly id: string
    }[]
    if (listed[0] !== undefined) return listed[0].id
    await sleep(250)
  }
  return undefined
}

/** The command line, as somebody. */
type Cli = (...args: string[]) => Promise<string>

async function cli(dev: DevEnvironment, person: string): Promise<Cli> {
  const env = { ...process.env, SALLYPORT_URL: dev.url, SALLYPORT_TOKEN: await dev.idp.token(person) }
  const bin = join(import.meta.dirname, '../../packages/cli/bin/sallyport.js')
  return async (...args) => {
    const { stdout } = await promisify(execFile)(process.execPath, [bin, ...args], { env, cwd: folder })
    return stdout
  }
}

/** @returns how the target refused, or undefined when it did not */
async function tryDirectly(dev: DevEnvironment, shopUrl: string, token: string): Promise<string | undefined> {
  const response = await fetch(`${dev.url}/api/v1/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ target: 'shop', purpose: 'the tour: a ticket is worth nothing anywhere else' }),
  })
  const { ticket } = (await response.json()) as { readonly ticket: string }
  const { hostname, port } = new URL(shopUrl)
  const client = new pg.Client({
    host: hostname,
    port: Number(port),
    user: 'insight-agent',
    password: ticket,
    database: 'shop',
  })
  try {
    await client.connect()
    await client.end()
    return undefined
  } catch (error) {
    return `${hostname}:${port} says: ${(error as Error).message}`
  }
}

async function showRecording(
  dev: DevEnvironment,
  since: Date,
  check: (ok: boolean, text: string) => void,
): Promise<boolean> {
  const sallyport = await cli(dev, 'dora')
  const sessions = JSON.parse(await sallyport('sessions', 'list', '-o', 'json')) as {
    readonly id: string
    readonly startedAt: string
    readonly principal: { readonly id: string }
    readonly denied: number
  }[]
  const mine = sessions.filter((session) => new Date(session.startedAt) >= since)
  const denied = mine.find(({ principal, denied: count }) => principal.id === 'insight-agent' && count > 0)
  check(
    mine.length >= 3 && denied !== undefined,
    `${mine.length} sessions recorded; the one with the denial:`,
  )
  if (denied === undefined) return false
  screen.line(`$ sallyport sessions show ${denied.id}`)
  const shown = await sallyport('sessions', 'show', denied.id)
  screen.quote(shown)
  check(
    shown.includes('DROP TABLE') && shown.includes('structure-is-fixed'),
    'who, for whom, what, and which policy decided',
  )
  return true
}

async function stayUp(dev: DevEnvironment): Promise<void> {
  const { whatToTry } = await import('../../packages/cli/src/dev/what-to-try.ts')
  const { firstTicket } = await import('../../packages/cli/src/dev/first-ticket.ts')
  screen.title('Yours to try')
  process.stdout.write(
    whatToTry({
      url: dev.url,
      postgres: dev.gateway.addresses.postgres,
      folder,
      sallyport: [join(import.meta.dirname, '../../packages/cli/bin/sallyport.js')],
      ticket: await firstTicket(dev),
    }),
  )
  await untilStopped({
    onSignal: (signal, handler) => {
      process.on(signal, handler)
      return () => void process.off(signal, handler)
    },
  })
  screen.line('stopping')
}

try {
  const passed = await main()
  screen.title(passed ? 'Every step did what it says.' : 'A step did not do what it says.')
  process.exitCode = passed ? 0 : 1
} catch (error) {
  console.error('The tour broke off.')
  console.error(failureText(failureOf(error), false))
  if (process.env.SALLYPORT_DEBUG !== undefined) console.error(error)
  process.exitCode = 1
}
