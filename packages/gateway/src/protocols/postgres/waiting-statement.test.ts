import { beforeAll, describe, expect, it } from 'vitest'
import { SallyportError } from '../../access/errors.ts'
import { directReader, TestGuard } from './guard.fixture.ts'
import { decodeErrorFields } from './messages.ts'
import { ScriptedSession } from './script.fixture.ts'
import type { SqlReader } from './statement-cache.ts'
import { client, frames, target } from './wire.fixture.ts'

let reader: SqlReader
beforeAll(async () => {
  reader = await directReader()
})

function session(): ScriptedSession {
  const guard = new TestGuard()
  guard.denied.clear()
  guard.needApproval.add('delete')
  return new ScriptedSession(reader, guard)
}

/** One line for each message to the target. */
function sent({ toTarget }: ScriptedSession): string[] {
  return frames(toTarget).map(({ type, body }) => {
    const [first, second] = body.toString('latin1').split('\0')
    return (type === 'P' || type === 'B' ? `${type} ${first}|${second}` : `${type} ${first}`).trim()
  })
}

/** One line for each message to the client. */
function got({ toClient }: ScriptedSession): string[] {
  return frames(toClient).map(({ type, body }) => {
    if (type === 'E') return `E ${decodeErrorFields(body, 0, body.length).get('C')}`
    if (type === 'C' || type === 'Z') return `${type} ${body.toString().replaceAll('\0', '')}`
    return type
  })
}

const answer = target.complete('DELETE 1')
const DELETE = 'DELETE FROM t WHERE id = 1'
const marker = (n: number): string => `sallyport_denied_0badcafe_ses_test_${n}`

describe('a simple query that people are asked about', () => {
  it('is decided anew when the target has changed since it was last looked at', async () => {
    const one = session()
    one.guard.lookAgain = () => {
      one.guard.deny('delete')
      return Promise.resolve()
    }
    await one.client(client.query(DELETE))
    await one.client()
    expect(one.guard.requests).toEqual([])
    expect(sent(one)).toEqual([`Q ${marker(1)}`])
  })

  it('is asked about also when the target cannot be looked at', async () => {
    const one = session()
    one.guard.lookAgain = () => Promise.reject(new SallyportError('TARGET_UNREACHABLE', 'it is away'))
    await one.client(client.query(DELETE))
    await one.client()
    expect(one.guard.requests).toHaveLength(1)
  })

  it('is not sent while they are', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    expect(one.guard.request.subject).toMatchObject({
      text: DELETE,
      parameters: [],
      executes: [],
      searchPath: ['public'],
    })
    expect(sent(one)).toEqual([])
    expect(one.guard.recorder.texts('deny')).toEqual([DELETE])
  })

  it('tells its client at once where they can decide', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    const [notice, ...others] = frames(one.toClient)
    expect(others).toEqual([])
    expect(notice?.type).toBe('N')
    const fields = decodeErrorFields(notice?.body ?? Buffer.alloc(0), 0, notice?.body.length ?? 0)
    expect(fields.get('S')).toBe('NOTICE')
    expect(fields.get('M')).toBe('waiting for approval apr_1 by 1 of dba: people look at it first')
    expect(fields.get('D')).toContain('http://gateway.test/approvals/apr_1')
    expect(fields.get('H')).toContain('sallyport approvals approve apr_1')
  })

  it('runs when they have approved it, recorded as permitted before', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    one.guard.request.grant()
    await one.client()
    expect(sent(one)).toEqual([`Q ${DELETE}`])
    expect(one.undecided()).toEqual([])
    expect(one.guard.request.redeemedWith).toEqual([one.guard.request.subject])
    await one.target(answer, target.ready('I'))
    expect(got(one)).toEqual(['N', 'C DELETE 1', 'Z I'])
  })

  it('has its privilege until the target has answered, and no longer', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    one.guard.request.grant()
    await one.client()
    await one.target(answer)
    expect(one.guard.request.released).toBe(0)
    await one.target(target.ready('I'))
    expect(one.guard.request.released).toBe(1)
  })

  it('has no privilege left when it has failed', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    one.guard.request.grant()
    await one.client()
    await one.target(target.error('23503', 'still referenced'), target.ready('I'))
    expect(one.guard.request.released).toBe(1)
    expect(got(one)).toEqual(['N', 'E 23503', 'Z I'])
  })

  it('fails as the denial says, and the session goes on', async () => {
    const one = session()
    await one.client(client.query(DELETE), client.query('SELECT 1'))
    one.guard.request.deny('ana denied it: not today')
    await one.client()
    expect(sent(one)).toEqual([`Q ${marker(1)}`, 'Q SELECT 1'])
    await one.target(target.error('42601', `syntax error at or near "${marker(1)}"`), target.ready('T'))
    const error = frames(one.toClient).find(({ type }) => type === 'E')
    const fields = decodeErrorFields(error?.body ?? Buffer.alloc(0), 0, error?.body.length ?? 0)
    expect(fields.get('M')).toBe('ana denied it: not today')
    expect(fields.get('C')).toBe('42501')
    expect(fields.get('W')).toContain('Sallyport APPROVAL_DENIED')
  })

  it('is denied when nobody can be asked', async () => {
    const one = session()
    one.guard.unavailable = new SallyportError('STORE_UNAVAILABLE', 'the store does not answer')
    await one.client(client.query(DELETE))
    await one.client()
    expect(sent(one)).toEqual([`Q ${marker(1)}`])
  })

  it('is denied when policy says no at the last moment', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    const { request } = one.guard
    request.atLast = { permitted: false, policies: ['x'], epoch: 1, reusable: false, json: '{}' }
    request.grant()
    await one.client()
    expect(sent(one)).toEqual([`Q ${marker(1)}`])
    expect(request.released).toBe(1)
  })

  it('is denied when policies have changed between redeeming and sending', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    one.guard.privilege.give = () => {
      one.guard.deny()
      return Promise.resolve()
    }
    one.guard.request.grant()
    await one.client()
    expect(sent(one)).toEqual([`Q ${marker(1)}`])
    expect(one.guard.request.released).toBe(1)
    one.guard.privilege.give = () => Promise.resolve()
  })

  it('is not asked about again when policy forbids it meanwhile', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    one.guard.deny('delete')
    one.guard.request.grant()
    await one.client()
    expect(sent(one)).toEqual([`Q ${marker(2)}`])
    expect(one.guard.request.redeemedWith).toEqual([])
    expect(one.guard.requests).toHaveLength(1)
  })

  it('is cancelled by its client with 57014, and its request withdrawn', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    expect(one.frontend.cancel()).toBe(true)
    await one.client()
    expect(one.guard.request.withdrawn).toBe('its client cancelled it')
    expect(sent(one)).toEqual([`Q ${marker(1)}`])
    await one.target(target.error('42601', `syntax error at or near "${marker(1)}"`), target.ready('I'))
    expect(got(one)).toEqual(['N', 'E 57014', 'Z I'])
    one.guard.request.grant()
    await one.client()
    expect(sent(one)).toEqual([`Q ${marker(1)}`])
  })

  it('is withdrawn when its client leaves', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    one.frontend.ended()
    expect(one.guard.request.withdrawn).toBe('its client has gone')
    one.guard.request.grant()
    await one.client()
    expect(sent(one)).toEqual([])
  })

  it('takes its privilege along when its client leaves while it runs', async () => {
    const one = session()
    await one.client(client.query(DELETE))
    one.guard.request.grant()
    await one.client()
    one.frontend.ended()
    await one.client()
    expect(one.guard.request.released).toBe(1)
  })

  it('is nothing that people are asked about in a failed transaction', async () => {
    const one = session()
    await one.client(client.query('BEGIN; SELECT 1/0'))
    await one.target(target.complete('BEGIN'), target.error('22012', 'division by zero'), target.ready('E'))
    await one.client(client.query(DELETE))
    expect(one.guard.requests).toEqual([])
    await one.target(
      target.error('42601', 'syntax error at or near "sallyport_unknown_0badcafe"'),
      target.ready('E'),
    )
    expect(got(one).slice(-2)).toEqual(['E 25P02', 'Z E'])
  })
})

describe('what is sent behind an approved statement', () => {
  it('waits until that has ended and its privilege is gone', async () => {
    const one = session()
    const gone = Promise.withResolvers<void>()
    one.guard.privilege = { give: () => Promise.resolve(), take: () => gone.promise }
    await one.client(client.query(DELETE), client.query('SELECT 2'))
    one.guard.request.grant()
    await one.client()
    expect(sent(one)).toEqual([`Q ${DELETE}`])
    await one.target(answer, target.ready('I'))
    expect(sent(one)).toEqual([`Q ${DELETE}`])
    gone.resolve()
    await one.client()
    expect(sent(one)).toEqual([`Q ${DELETE}`, 'Q SELECT 2'])
  })

  it('is asked about on its own', async () => {
    const one = session()
    const other = 'DELETE FROM t WHERE id = 2'
    await one.client(client.query(DELETE), client.query(other))
    one.guard.request.grant()
    await one.client()
    await one.target(answer, target.ready('I'))
    expect(one.guard.requests.map(({ subject }) => subject.text)).toEqual([DELETE, other])
    expect(sent(one)).toEqual([`Q ${DELETE}`])
  })

  it('even the very same statement, which is approved once', async () => {
    const one = session()
    await one.client(client.query(DELETE), client.query(DELETE))
    one.guard.request.grant()
    await one.client()
    await one.target(answer, target.ready('I'))
    expect(one.guard.requests).toHaveLength(2)
    expect(sent(one)).toEqual([`Q ${DELETE}`])
  })

  it('comes after what was sent in front of it has been answered', async () => {
    const one = session()
    await one.client(client.query('SELECT 1'), client.query(DELETE))
    expect(one.guard.requests).toEqual([])
    await one.target(target.rowDescription, target.complete('SELECT 0'), target.ready('I'))
    expect(one.guard.requests).toHaveLength(1)
    expect(got(one)).toEqual(['T', 'C SELECT 0', 'Z I', 'N'])
  })
})

describe('a statement of the extended protocol that people are asked about', () => {
  const prepared = client.parse('', 'DELETE FROM t WHERE id = $1')
  const run = [client.bind('', '', ['7']), client.describe('P', ''), client.execute('')]

  it('is parsed at once, and waits when it is bound', async () => {
    const one = session()
    await one.client(prepared, ...run, client.sync)
    expect(sent(one)).toEqual(['P |DELETE FROM t WHERE id = $1', 'H'])
    expect(one.guard.requests).toEqual([])
    await one.target(target.parseComplete)
    expect(one.guard.request.subject.parameters).toEqual([{ format: 0, type: 0, value: Buffer.from('7') }])
    expect(sent(one)).toHaveLength(2)
  })

  it('runs when it is approved, and the Sync behind it after its privilege is gone', async () => {
    const one = session()
    await one.client(prepared, ...run, client.sync)
    await one.target(target.parseComplete)
    one.guard.request.grant()
    await one.client()
    expect(sent(one).slice(2)).toEqual(['B |', 'D P', 'E', 'H'])
    await one.target(target.bindComplete, target.noData)
    expect(one.guard.request.released).toBe(0)
    await one.target(answer)
    expect(one.guard.request.released).toBe(1)
    expect(sent(one).slice(2)).toEqual(['B |', 'D P', 'E', 'H', 'S'])
    await one.target(target.ready('I'))
    expect(got(one)).toEqual(['1', 'N', '2', 'n', 'C DELETE 1', 'Z I'])
    expect(one.undecided()).toEqual([])
  })

  it('has the types that Parse said in what is asked', async () => {
    const one = session()
    const typed = Buffer.concat([
      Buffer.from('P\0\0\0\0', 'latin1'),
      Buffer.from('\0DELETE FROM t WHERE id = $1\0', 'latin1'),
      Buffer.from([0, 1, 0, 0, 0, 23]),
    ])
    typed.writeInt32BE(typed.length - 1, 1)
    await one.client(typed, ...run, client.sync)
    await one.target(target.parseComplete)
    expect(one.guard.request.subject.parameters[0]?.type).toBe(23)
  })

  it('holds every byte of long parameters', async () => {
    const one = session()
    const long = 'x'.repeat(50_000)
    await one.client(prepared, client.bind('', '', [long]), client.execute(''), client.sync)
    await one.target(target.parseComplete)
    expect(one.guard.request.subject.parameters[0]?.value?.toString()).toBe(long)
  })

  it('is cancelled up to the next Sync', async () => {
    const one = session()
    await one.client(prepared, ...run, client.sync)
    await one.target(target.parseComplete)
    one.frontend.cancel()
    await one.client()
    expect(sent(one).slice(2)).toEqual([`P ${marker(2)}|${marker(2)}`, 'S'])
    await one.target(target.error('42601', `syntax error at or near "${marker(2)}"`), target.ready('I'))
    expect(got(one)).toEqual(['1', 'N', 'E 57014', 'Z I'])
  })

  it('is bound again for a second run, and asked about again', async () => {
    const one = session()
    await one.client(prepared, ...run, client.sync)
    await one.target(target.parseComplete)
    one.guard.request.grant()
    await one.client()
    await one.target(target.bindComplete, target.noData, answer)
    await one.target(target.ready('I'))
    await one.client(...run, client.sync)
    expect(one.guard.requests).toHaveLength(2)
  })

  it('goes on from where its portal was suspended without asking again', async () => {
    const one = session()
    await one.client(prepared, client.bind('', '', ['7']), client.execute('', 1), client.flush)
    await one.target(target.parseComplete)
    one.guard.request.grant()
    await one.client()
    await one.target(target.bindComplete, target.row('1'), target.portalSuspended)
    expect(one.guard.request.released).toBe(1)
    await one.client(client.execute('', 1), client.sync)
    expect(sent(one).slice(-2)).toEqual(['E', 'S'])
    expect(one.guard.requests).toHaveLength(1)
  })

  it('does not lend its privilege to another portal', async () => {
    const one = session()
    await one.client(client.parse('s', 'SELECT 1'), client.bind('other', 's'), prepared)
    await one.client(client.bind('', '', ['7']), client.execute('other'), client.execute(''), client.sync)
    await one.target(target.parseComplete, target.bindComplete, target.parseComplete)
    one.guard.request.grant()
    await one.client()
    // The approved portal is bound; before the other one runs, the privilege has to go.
    expect(sent(one).slice(-2)).toEqual(['B |', 'H'])
    await one.target(target.bindComplete)
    expect(one.guard.request.released).toBe(1)
    expect(sent(one).slice(-3)).toEqual(['E other', 'E', 'S'])
  })

  it('is skipped with the batch that failed in front of it, and nobody is asked', async () => {
    const one = session()
    await one.client(client.parse('s', 'SELECT nothing'), prepared, ...run, client.sync)
    await one.target(target.error('42703', 'column "nothing" does not exist'))
    expect(one.guard.requests).toEqual([])
    expect(sent(one).slice(-1)).toEqual(['S'])
  })

  it('is given up when the target gives up its batch while it waits', async () => {
    const one = session()
    await one.client(prepared, ...run, client.sync)
    await one.target(target.parseComplete)
    await one.target(target.error('57014', 'canceling statement due to statement timeout'))
    expect(one.guard.request.withdrawn).toBe('the target gave up what it was a part of')
    expect(sent(one).slice(-1)).toEqual(['S'])
    expect(sent(one).some((line) => line.startsWith('B'))).toBe(false)
  })
})

describe("SQL's own prepared statements", () => {
  it('are prepared without asking, and asked about when they are executed', async () => {
    const one = session()
    const prepare = 'PREPARE p (int) AS DELETE FROM t WHERE id = $1'
    await one.client(client.query(prepare))
    expect(sent(one)).toEqual([`Q ${prepare}`])
    await one.target(target.complete('PREPARE'), target.ready('I'))
    await one.client(client.query('EXECUTE p (3)'))
    expect(one.guard.request.subject).toMatchObject({
      text: 'EXECUTE p (3)',
      executes: [{ name: 'p', text: prepare }],
    })
    expect(sent(one)).toHaveLength(1)
  })
})

describe('COPY that people are asked about', () => {
  it('takes its data when it is approved', async () => {
    const one = session()
    one.guard.needApproval.add('copyIn')
    one.guard.needApproval.add('insert')
    await one.client(client.query('COPY t FROM STDIN'), client.copyData('1\n'), client.copyDone)
    expect(sent(one)).toEqual([])
    one.guard.request.grant()
    await one.client()
    expect(sent(one)).toEqual(['Q COPY t FROM STDIN', 'd 1', 'c'])
    await one.target(target.copyIn, target.complete('COPY 1'), target.ready('I'))
    expect(one.guard.request.released).toBe(1)
    expect(got(one)).toEqual(['N', 'G', 'C COPY 1', 'Z I'])
  })

  it('takes its data in the extended protocol too, with Sync ahead of it', async () => {
    const one = session()
    one.guard.needApproval.add('copyIn')
    one.guard.needApproval.add('insert')
    await one.client(
      client.parse('', 'COPY t FROM STDIN'),
      client.bind('', ''),
      client.execute(''),
      client.sync,
    )
    await one.target(target.parseComplete)
    one.guard.request.grant()
    await one.client()
    await one.target(target.bindComplete, target.copyIn)
    await one.client(client.copyData('1\n'), client.copyDone, client.sync)
    expect(sent(one).slice(2)).toEqual(['B |', 'E', 'H', 'S', 'd 1', 'c'])
    await one.target(target.complete('COPY 1'))
    expect(one.guard.request.released).toBe(1)
    expect(sent(one).slice(-1)).toEqual(['S'])
    await one.target(target.ready('I'))
    expect(got(one)).toEqual(['1', 'N', '2', 'G', 'C COPY 1', 'Z I'])
  })
})
