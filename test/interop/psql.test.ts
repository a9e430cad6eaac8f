import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../harness/gateway.ts'
import { type Ended, installed, runProgram, startProgram } from '../harness/programs.ts'

const PSQL = installed('psql')
/** With headings and footers, and the end at the first error. */
const ALL = ['-P', 'tuples_only=off', '-v']
const WRITER = { groups: ['readers', 'writers', 'callers'] }

describe.skipIf(PSQL === undefined)('psql (skipped where postgresql-client is not installed)', () => {
  let world: TestGateway
  beforeAll(async () => {
    world = await startTestGateway()
  })
  afterAll(() => world[Symbol.asyncDispose]())

  /** Feeds psql a script; rows come out unaligned, a line each. */
  async function psql(script: string, wish: object = WRITER, args: readonly string[] = []): Promise<Ended> {
    const env = await world.access.libpq('ana', wish)
    return await runProgram(PSQL ?? '', ['-X', '-q', '-A', '-t', ...args], { env, input: script })
  }

  test('reads rows, over TLS', async () => {
    const { code, stdout, stderr } = await psql(
      'SELECT id, name, city FROM customers WHERE id < 4 ORDER BY id;\n\\conninfo\n',
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('1|Customer 1|Ghent\n2|Customer 2|Ghent\n3|Customer 3|\n')
    expect(stdout).toMatch(/SSL connection \(protocol: TLSv1\.3/)
  })

  test.each([
    ['\\d', 'public|customers|table|postgres'],
    ['\\d customers', 'name|text||not null|'],
    ['\\d+ customers', '"customers_pkey" PRIMARY KEY, btree (id)'],
    ['\\dt', 'public|secrets|table|postgres'],
    ['\\dv', 'public|cities|view|postgres'],
    ['\\d+ cities', 'GROUP BY'],
    ['\\di', 'customers_pkey'],
    ['\\ds', 'notes_id_seq'],
    ['\\dn', 'public'],
    ['\\du', 'sallyport_issuer'],
    ['\\df', ''],
    ['\\dp customers', 'sallyport_issuer=a*r*w*d*/postgres'],
    ['\\sf pg_catalog.abs(integer)', 'CREATE OR REPLACE FUNCTION pg_catalog.abs(integer)'],
  ])('%s describes the target', async (command, expected) => {
    const { code, stdout, stderr } = await psql(`${command}\n`, WRITER, [...ALL, 'ON_ERROR_STOP=1'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(expected)
  })

  test('\\gdesc describes a result without running the statement', async () => {
    const { stdout, stderr } = await psql('SELECT id, price, doc FROM kinds \\gdesc\n')
    expect(stderr).toBe('')
    expect(stdout).toBe('id|integer\nprice|numeric(12,2)\ndoc|jsonb\n')
  })

  test('\\copy brings rows in and out', async () => {
    const file = join(world.folder, 'notes.csv')
    await writeFile(file, '501,first\n502,"with, comma"\n')
    const script = `\\copy notes (id, text) FROM '${file}' CSV
SELECT text FROM notes WHERE id > 500 ORDER BY id;
\\copy (SELECT id, city FROM customers WHERE id <= 3 ORDER BY id) TO '${file}.out' CSV
\\copy customers TO '${file}.all'
`
    const { code, stdout, stderr } = await psql(script, WRITER, ['-v', 'ON_ERROR_STOP=1'])
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'first\nwith, comma\n', stderr: '' })
    expect(await readFile(`${file}.out`, 'utf8')).toBe('1,Ghent\n2,Ghent\n3,\n')
    expect((await readFile(`${file}.all`, 'utf8')).split('\n')).toHaveLength(1001)
  })

  test('a denied \\copy reads nothing of the file and leaves the session usable', async () => {
    const file = join(world.folder, 'denied.csv')
    await writeFile(file, '901,x\n')
    const { stdout, stderr } = await psql(
      `\\copy notes (id, text) FROM '${file}' CSV\nSELECT 'still here';\n`,
      {
        groups: ['readers'],
      },
    )
    expect(stderr).toContain('denied by policy')
    expect(stdout).toBe('still here\n')
  })

  test('COPY that breaks off in the middle is an error, and the session goes on', async () => {
    const script =
      'COPY notes (id, text) FROM STDIN;\n600\tfine\nnot-a-number\tx\n\\.\nSELECT count(*) FROM notes WHERE id = 600;\n'
    const { stdout, stderr } = await psql(script)
    expect(stderr).toContain('invalid input syntax for type integer: "not-a-number"')
    expect(stdout).toBe('0\n')
  })

  test('cursors are fetched from in parts', async () => {
    const script = `BEGIN;
DECLARE c CURSOR FOR SELECT id FROM customers ORDER BY id;
FETCH 2 FROM c;
MOVE 10 FROM c;
FETCH 1 FROM c;
CLOSE c;
COMMIT;
\\set FETCH_COUNT 100
SELECT count(*) FROM (SELECT id FROM customers) AS all_of_them;
SELECT id FROM customers ORDER BY id LIMIT 250;
`
    const { stdout, stderr } = await psql(script)
    expect(stderr).toBe('')
    const lines = stdout.trim().split('\n')
    expect(lines.slice(0, 4)).toEqual(['1', '2', '13', '1000'])
    expect(lines).toHaveLength(254)
  })

  test('an error fails the transaction, and savepoints bring it back', async () => {
    const script = `BEGIN;
INSERT INTO notes (id, text) VALUES (700, 'kept');
SAVEPOINT s;
SELECT 1/0;
SELECT 'not run';
ROLLBACK TO s;
SELECT 'again';
COMMIT;
SELECT text FROM notes WHERE id = 700;
`
    const { stdout, stderr } = await psql(script)
    expect(stdout).toBe('again\nkept\n')
    expect(stderr).toContain('division by zero')
    expect(stderr).toContain('current transaction is aborted')
  })

  test('a denied statement fails the transaction as any other error does', async () => {
    const script = `BEGIN;
INSERT INTO notes (id, text) VALUES (800, 'gone');
DROP TABLE notes;
SELECT 'not run';
COMMIT;
SELECT count(*) FROM notes WHERE id = 800;
`
    const { stdout, stderr } = await psql(script)
    expect(stderr).toMatch(
      /ERROR: {2}denied by policy: .*the structure is changed by migrations only.*\nHINT: {2}propose a migration instead/,
    )
    expect(stderr).toMatch(
      /CONTEXT: {2}Sallyport ACCESS_POLICY_DENIED, policy structure-is-fixed, decision ses_\w+\.\d+/,
    )
    expect(stderr).toContain('current transaction is aborted')
    expect(stdout).toBe('0\n')
  })

  test('several statements in one message are decided together', async () => {
    const { stdout, stderr } = await psql(
      "SELECT 'one' \\; SELECT 'two';\nSELECT 'ran' \\; SELECT text FROM secrets;\nSELECT 'after';\n",
    )
    expect(stdout).toBe('one\ntwo\nafter\n')
    expect(stderr).toContain('the table secrets is closed to everybody')
  })

  test('prepared statements, notices and NOTIFY are passed on', async () => {
    const script = `PREPARE p (int) AS SELECT name FROM customers WHERE id = $1;
EXECUTE p(7);
DEALLOCATE p;
ROLLBACK;
`
    const { stdout, stderr } = await psql(script)
    expect(stdout).toBe('Customer 7\n')
    expect(stderr).toContain('WARNING:  there is no transaction in progress')
  })

  test('Ctrl-C cancels the running statement, and the session goes on', async () => {
    const env = await world.access.libpq('ana', WRITER)
    const { child, ended } = startProgram(PSQL ?? '', ['-X', '-q', '-A', '-t'], {
      env,
      input: "SELECT pg_sleep(600);\nSELECT 'still here';\n",
    })
    await world.running('pg_sleep(600)')
    child.kill('SIGINT')
    const { stdout, stderr } = await ended
    expect(stderr).toContain('canceling statement due to user request')
    // After SIGINT, psql stops reading a script that is not typed by a person.
    expect(stdout).toBe('')
  })

  test('an interrupted statement can be followed by another one', async () => {
    const env = await world.access.libpq('ana', WRITER)
    const script = `SET statement_timeout = 50;\nSELECT pg_sleep(600);\nRESET statement_timeout;\nSELECT 'still here';\n`
    const { stdout, stderr } = await runProgram(PSQL ?? '', ['-X', '-q', '-A', '-t'], { env, input: script })
    expect(stderr).toContain('canceling statement due to statement timeout')
    expect(stdout).toBe('still here\n')
  })

  test.each([
    ['a secret that is none', { PGPASSWORD: 'spt_wrong' }, 'the ticket is'],
    ['a ticket of another target', { PGDATABASE: 'other' }, 'the ticket is not valid for this target'],
    [
      'dangerous start-up options',
      { PGOPTIONS: '-c role=postgres' },
      'the start-up parameter "options" is refused',
    ],
  ])('%s is refused in words that psql shows', async (_, changed, expected) => {
    const env = { ...(await world.access.libpq('ana')), ...changed }
    const { code, stderr } = await runProgram(PSQL ?? '', ['-X', '-c', 'SELECT 1'], { env })
    expect(code).toBe(2)
    expect(stderr).toContain(expected)
  })
})
