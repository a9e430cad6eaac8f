import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { installedPostgres } from '../harness/postgres.ts'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { installed, runProgram } from '../harness/programs.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const PSQL = installed('psql')

let world: TestGateway
beforeAll(async () => {
  world = await startTestGateway()
})
afterAll(() => world[Symbol.asyncDispose]())

describe.skipIf(PSQL === undefined)("psql's commands, for somebody who may only read", () => {
  test.each(
    `\\d \\d+ \\dS \\d|customers \\d+|customers \\d+|cities \\d|notes_id_seq \\d|customers_pkey \\dt \\dt+ \\dtS \\dv \\dv+ \\dm
    \\di \\di+ \\ds \\ds+ \\dE \\dn \\dn+ \\dnS \\du \\du+ \\dg \\df \\df+ \\dfS \\df|pg_catalog.abs \\da \\daS \\do \\doS \\dT \\dT+ \\dTS
    \\dD \\dD+ \\dC \\dC+ \\dc \\dO \\dOS \\dp \\z \\ddp \\dd \\dl \\db \\db+ \\dL \\dL+ \\dx \\dx+ \\dX \\dF \\dF+ \\dFd \\dFp \\dFt \\dy \\dew \\des \\det
    \\deu \\dRp \\dRs \\dP \\dP+ \\dAc \\dAf \\dAo \\dAp \\drds \\dconfig \\dconfig|* \\l \\l+ \\sf|pg_catalog.abs(integer) \\sv|cities
    \\conninfo \\encoding \\lo_list \\d|no_such_table \\d|*.*`
      .split(/\s+/)
      .map((command) => command.replace('|', ' ')),
  )('%s', async (command) => {
    const env = await world.access.libpq('ana', { groups: ['readers'] })
    const { stderr } = await runProgram(PSQL ?? '', ['-X', '-q', '-A', '-t'], { env, input: `${command}\n` })
    expect(stderr).not.toContain('denied by policy')
  })
})

const OLDER = installedPostgres()

describe.skipIf(OLDER === undefined)('pg_dump (skipped where no PostgreSQL server is installed)', () => {
  let older: TestGateway
  beforeAll(async () => {
    older = await startTestGateway({ postgres: OLDER && { binaries: OLDER.binaries } })
  })
  afterAll(() => older[Symbol.asyncDispose]())

  test.each([
    ['the structure', ['--schema-only', '--exclude-table=secrets']],
    ['structure and rows', ['--table=customers', '--table=cities']],
    ['rows as INSERTs', ['--data-only', '--inserts', '--table=kinds']],
  ])('writes %s', async (_, args) => {
    const env = await older.access.libpq('ana', { groups: ['readers'] })
    const { code, stdout, stderr } = await runProgram(OLDER?.pgDump ?? '', args, { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('PostgreSQL database dump complete')
  })
})
