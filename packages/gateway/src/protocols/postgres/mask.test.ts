import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Mask, ResultMasks } from '../../access/masking.ts'
import { directReader, TestGuard } from './guard.fixture.ts'
import { BYTE_STARS, byteConstantMask, constantMask, masksOf, STARS } from './mask.fixture.ts'
import { MAX_MASKED_ROW } from './masked-row-bound.ts'
import { decodeErrorFields, message } from './messages.ts'
import { play, ScriptedSession, type Step } from './script.fixture.ts'
import type { SqlReader } from './statement-cache.ts'
import { type Column, client, frames, target } from './wire.fixture.ts'

let reader: SqlReader
beforeAll(async () => {
  reader = await directReader()
})

const c = (...messages: readonly Buffer[]): Step => ({ client: Buffer.concat(messages) })
const t = (...messages: readonly Buffer[]): Step => ({ target: Buffer.concat(messages) })

const REDACTED = constantMask('[redacted]')
const ID: Column = { name: 'id', type: 23, relation: 1000, number: 1 }
const SSN: Column = { name: 'ssn', type: 25, relation: 1000, number: 2 }
const ROWS = [
  ['1', '123-45-6789'],
  ['2', null],
  ['3', ''],
] as const
const rows = (): Buffer[] => ROWS.map((row) => target.values(row))

function guarded(masks: readonly ResultMasks[] | undefined): TestGuard {
  const guard = new TestGuard()
  guard.masksFor = () => masks
  return guard
}

/** What the client is sent, a line for each message. */
function shown(stream: Buffer): string[] {
  return frames(stream).map(({ type, body }) => {
    if (type === 'E' || type === 'N')
      return `${type} ${JSON.stringify([...decodeErrorFields(body, 0, body.length)])}`
    if (type !== 'D') return type === 'd' ? `d ${JSON.stringify(body.toString())}` : type
    const values: string[] = []
    for (let at = 2; at < body.length; ) {
      const length = body.readInt32BE(at)
      values.push(length < 0 ? 'NULL' : JSON.stringify(body.toString('latin1', at + 4, at + 4 + length)))
      at += 4 + Math.max(length, 0)
    }
    return `D ${values.join(' ')}`
  })
}

/** Plays the steps whole and cut at every byte: always the same comes out. */
async function playEverywhere(
  steps: readonly Step[],
  masks: readonly ResultMasks[] | undefined,
): Promise<ScriptedSession> {
  const whole = new ScriptedSession(reader, guarded(masks))
  const expected = await play(whole, steps, () => [])
  const bytewise = await play(new ScriptedSession(reader, guarded(masks)), steps, (_, length) =>
    Array.from({ length: length - 1 }, (__, at) => at + 1),
  )
  expect(bytewise).toEqual(expected)
  for (let step = 0; step < steps.length; step++) {
    const one = steps[step]
    const { length } = one === undefined ? [] : 'client' in one ? one.client : one.target
    for (let at = 1; at < length; at++) {
      const cut = await play(new ScriptedSession(reader, guarded(masks)), steps, (n) =>
        n === step ? [at] : [],
      )
      expect(cut, `step ${step} cut at ${at}`).toEqual(expected)
    }
  }
  return whole
}

async function failure(steps: readonly Step[], guard: TestGuard): Promise<{ code: unknown; sent: string[] }> {
  const session = new ScriptedSession(reader, guard)
  const thrown: unknown = await play(session, steps, () => []).then(
    () => undefined,
    (error: unknown) => error,
  )
  return { code: (thrown as { code?: unknown } | undefined)?.code, sent: shown(session.toClient) }
}

describe('rows of a simple query', () => {
  it('are masked by position, and NULL stays NULL', async () => {
    const session = await playEverywhere(
      [
        c(client.query('SELECT id, ssn FROM a')),
        t(target.columns(ID, SSN), ...rows(), target.complete('SELECT 3'), target.ready('I')),
      ],
      [masksOf([undefined, REDACTED])],
    )
    expect(shown(session.toClient)).toEqual([
      'T',
      'D "1" "[redacted]"',
      'D "2" NULL',
      'D "3" "[redacted]"',
      'C',
      'Z',
    ])
    expect(session.guard.recorder.masked).toEqual([
      [{ column: 'ssn', dataClass: 'pii.test', method: 'redact', values: 2 }],
    ])
  })

  it('that keep their length are changed where they are', async () => {
    const session = await playEverywhere(
      [
        c(client.query('SELECT id, ssn FROM a')),
        t(target.columns(ID, SSN), ...rows(), target.complete('SELECT 3'), target.ready('I')),
      ],
      [masksOf([undefined, STARS])],
    )
    expect(shown(session.toClient)).toContain('D "1" "***********"')
  })

  it('of several statements are masked each by its own masks', async () => {
    const answer = (tag: string): Buffer[] => [
      target.columns(ID, SSN),
      ...rows().slice(0, 1),
      target.complete(tag),
    ]
    const session = await playEverywhere(
      [
        c(client.query('SELECT id, ssn FROM a; BEGIN; SELECT id, ssn FROM a; SELECT id, ssn FROM a')),
        t(
          ...answer('SELECT 1'),
          target.complete('BEGIN'),
          ...answer('SELECT 1'),
          ...answer('SELECT 1'),
          target.ready('T'),
        ),
      ],
      [
        masksOf([undefined, REDACTED]),
        masksOf([]),
        masksOf([REDACTED, undefined]),
        masksOf([undefined, undefined]),
      ],
    )
    expect(shown(session.toClient).filter((line) => line.startsWith('D'))).toEqual([
      'D "1" "[redacted]"',
      'D "[redacted]" "123-45-6789"',
      'D "1" "123-45-6789"',
    ])
  })

  it('of values without a known type become NULL, and arrays and rows keep their shape', async () => {
    const types = [3802, 1009, 2249, 16_400].map((type, at) => ({ name: `c${at}`, type }))
    const session = await playEverywhere(
      [
        c(client.query('SELECT a, b, c, d FROM a')),
        t(
          target.columns(...types),
          target.values(['{"a": 1}', '{{a,NULL},{b,"c d"}}', '(1,"x,y",)', 'happy']),
          target.complete('SELECT 1'),
          target.ready('I'),
        ),
      ],
      [masksOf(types.map(() => constantMask('"x y"')))],
    )
    expect(shown(session.toClient)).toContain(
      String.raw`D "\"x y\"" "{{\"\\\"x y\\\"\",NULL},{\"\\\"x y\\\"\",\"\\\"x y\\\"\"}}" "(,,)" NULL`,
    )
  })

  it('go out as they came where nothing is masked', async () => {
    const bytes = [target.columns(ID, SSN), ...rows(), target.complete('SELECT 3'), target.ready('I')]
    const session = await playEverywhere([c(client.query('SELECT id, ssn FROM a')), t(...bytes)], undefined)
    expect(session.toClient.equals(Buffer.concat(bytes))).toBe(true)
    expect(session.guard.recorder.masked).toEqual([])
  })
})

describe('rows of a portal', () => {
  const described = [target.parseComplete, target.bindComplete, target.columns(ID, SSN)]

  it('are masked by the description that the client asked for', async () => {
    const session = await playEverywhere(
      [
        c(
          client.parse('', 'SELECT id, ssn FROM a'),
          client.bind('', ''),
          client.describe('P', ''),
          client.execute(''),
          client.sync,
        ),
        t(...described, ...rows(), target.complete('SELECT 3'), target.ready('I')),
      ],
      [masksOf([undefined, REDACTED])],
    )
    expect(shown(session.toClient)).toEqual([
      '1',
      '2',
      'T',
      'D "1" "[redacted]"',
      'D "2" NULL',
      'D "3" "[redacted]"',
      'C',
      'Z',
    ])
  })

  it('are asked about by the gateway where the client has not, and the client is not told', async () => {
    const session = await playEverywhere(
      [
        c(client.parse('', 'SELECT id, ssn FROM a'), client.bind('', ''), client.execute(''), client.sync),
        t(...described, ...rows(), target.complete('SELECT 3'), target.ready('I')),
      ],
      [masksOf([undefined, REDACTED])],
    )
    expect(
      frames(session.toTarget)
        .map(({ type }) => type)
        .join(''),
    ).toBe('PBDES')
    expect(shown(session.toClient)).toEqual([
      '1',
      '2',
      'D "1" "[redacted]"',
      'D "2" NULL',
      'D "3" "[redacted]"',
      'C',
      'Z',
    ])
  })

  it('come in the formats of each Bind, though the statement was described once', async () => {
    const binary = Buffer.from([0, 0, 0, 1])
    const session = await playEverywhere(
      [
        c(client.parse('s', 'SELECT id, ssn FROM a'), client.describe('S', 's'), client.sync),
        t(target.parseComplete, target.parameterDescription(), target.columns(ID, SSN), target.ready('I')),
        c(client.bind('', 's', [], [1]), client.execute(''), client.sync),
        t(
          target.bindComplete,
          target.values([binary, 'abc']),
          target.complete('SELECT 1'),
          target.ready('I'),
        ),
        c(client.bind('', 's', [], []), client.execute(''), client.sync),
        t(target.bindComplete, target.values(['1', 'abc']), target.complete('SELECT 1'), target.ready('I')),
      ],
      [masksOf([constantMask('7'), undefined])],
    )
    expect(
      frames(session.toTarget)
        .map(({ type }) => type)
        .join(''),
    ).toBe('PDSBESBES')
    expect(shown(session.toClient).filter((line) => line.startsWith('D'))).toEqual([
      String.raw`D "\u0000\u0000\u0000\u0007" "abc"`,
      'D "7" "abc"',
    ])
  })

  it('are masked each time that it is run on', async () => {
    const run = c(client.execute('', 1), client.flush)
    const answer = t(...rows().slice(0, 1), target.portalSuspended)
    const session = await playEverywhere(
      [
        c(client.parse('', 'SELECT id, ssn FROM a'), client.bind('', ''), client.describe('P', '')),
        run,
        t(...described),
        answer,
        run,
        answer,
        c(client.execute(''), client.sync),
        t(target.complete('SELECT 0'), target.ready('I')),
      ],
      [masksOf([undefined, REDACTED])],
    )
    expect(shown(session.toClient).filter((line) => line.startsWith('D'))).toEqual([
      'D "1" "[redacted]"',
      'D "1" "[redacted]"',
    ])
    expect(session.guard.recorder.masked).toHaveLength(2)
  })

  it('are asked about again after a batch that failed', async () => {
    const guard = guarded([masksOf([REDACTED])])
    const session = new ScriptedSession(reader, guard)
    await play(
      session,
      [
        c(client.parse('s', 'SELECT ssn FROM a'), client.sync),
        t(target.parseComplete, target.ready('I')),
        c(client.bind('', 's'), client.describe('S', 's'), client.execute(''), client.sync),
        t(target.error('22000', 'no'), target.ready('I')),
        c(client.bind('', 's'), client.execute(''), client.sync),
        t(
          target.bindComplete,
          target.columns(SSN),
          target.values(['x']),
          target.complete('SELECT 1'),
          target.ready('I'),
        ),
      ],
      () => [],
    )
    expect(
      frames(session.toTarget)
        .map(({ type }) => type)
        .join(''),
    ).toBe('PSBDESBDES')
    expect(shown(session.toClient)).toContain('D "[redacted]"')
  })
})

describe('a result is closed, and nothing of it goes out,', () => {
  const closing: readonly (readonly [string, readonly Step[], TestGuard])[] = [
    [
      'when it is wider than it was read to be',
      [c(client.query('SELECT * FROM a')), t(target.columns(ID, SSN), ...rows())],
      guarded([masksOf([undefined])]),
    ],
    [
      'when it is narrower',
      [c(client.query('SELECT * FROM a')), t(target.columns(ID), target.values(['1']))],
      guarded([masksOf([undefined, REDACTED])]),
    ],
    [
      'when a row has more values than were described',
      [c(client.query('SELECT ssn FROM a')), t(target.columns(SSN), target.values(['x', 'y']))],
      guarded([masksOf([REDACTED])]),
    ],
    [
      'when a column comes from another place than it was read to',
      [c(client.query('SELECT id FROM a')), t(target.columns(SSN), target.values(['x']))],
      guarded([masksOf([undefined], { origins: [{ relation: 1000, number: 1, type: 'integer' }] })]),
    ],
    [
      'when rows come undescribed',
      [c(client.query('SELECT ssn FROM a')), t(target.values(['x']))],
      guarded([masksOf([REDACTED])]),
    ],
    [
      'when more statements are answered than were read',
      [
        c(client.query('SELECT 1')),
        t(target.columns(ID), target.complete('SELECT 0'), target.columns(SSN), target.values(['x'])),
      ],
      guarded([masksOf([undefined])]),
    ],
    [
      'when the mask fails',
      [c(client.query('SELECT ssn FROM a')), t(target.columns(SSN), target.values(['x']))],
      guarded([
        masksOf([
          {
            ...REDACTED,
            apply: () => {
              throw new Error('no key')
            },
          },
        ]),
      ]),
    ],
    [
      'when what the mask gives is no value of the type',
      [
        c(
          client.parse('', 'SELECT id FROM a'),
          client.bind('', '', [], [1]),
          client.describe('P', ''),
          client.execute(''),
          client.sync,
        ),
        t(target.parseComplete, target.bindComplete, target.columns({ ...ID, format: 1 })),
        t(target.values([Buffer.from([0, 0, 0, 1])])),
      ],
      guarded([masksOf([REDACTED])]),
    ],
  ]
  it.each(closing)('%s', async (_, steps, guard) => {
    const { code, sent } = await failure(steps, guard)
    expect(code).toBe('MASKING_FAILED')
    expect(sent.filter((line) => line.startsWith('D'))).toEqual([])
  })

  it('when the target says that there is a hidden column in it that was not read to be one', async () => {
    const guard = guarded(undefined)
    guard.hidden = { has: (relation, number) => relation === 1000 && number === 2 }
    const simple = await failure(
      [c(client.query('SELECT 1')), t(target.columns(SSN), target.values(['x']))],
      guard,
    )
    expect(simple).toEqual({ code: 'MASKING_FAILED', sent: [] })
    const extended = await failure(
      [
        c(client.parse('', 'SELECT 1'), client.bind('', ''), client.execute(''), client.sync),
        t(target.parseComplete, target.bindComplete, target.columns(SSN), target.values(['x'])),
      ],
      guard,
    )
    expect(extended.code).toBe('MASKING_FAILED')
    expect(extended.sent).not.toContain('D "x"')
  })

  it('when a row is longer than can be masked', async () => {
    const head = Buffer.from([0x44, 0, 0, 0, 0])
    head.writeInt32BE(MAX_MASKED_ROW + 10, 1)
    const { code } = await failure(
      [c(client.query('SELECT ssn FROM a')), t(target.columns(SSN), head)],
      guarded([masksOf([REDACTED])]),
    )
    expect(code).toBe('MASKING_FAILED')
  })
})

it('a long row is masked, however it is cut', async () => {
  const long = 'x'.repeat(300_000)
  const steps = [
    c(client.query('SELECT id, ssn FROM a')),
    t(
      target.columns(ID, SSN),
      target.values(['1', 'short']),
      target.values([long, long]),
      target.values(['3', 'short']),
      target.complete('SELECT 3'),
      target.ready('I'),
    ),
  ]
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 600_000 }), { maxLength: 20 }), async (cuts) => {
      const session = new ScriptedSession(reader, guarded([masksOf([undefined, REDACTED])]))
      await play(session, steps, (_, length) => cuts.filter((cut) => cut < length).toSorted((a, b) => a - b))
      expect(shown(session.toClient)).toEqual([
        'T',
        'D "1" "[redacted]"',
        `D "${long}" "[redacted]"`,
        'D "3" "[redacted]"',
        'C',
        'Z',
      ])
    }),
    { numRuns: 30 },
  )
})

it('masks on bytes come to the same as masks on texts, whatever gets longer or shorter', async () => {
  const columns: Column[] = [
    { name: 'a', type: 25 },
    { name: 'b', type: 25 },
    { name: 'c', type: 25 },
    { name: 'd', type: 25 },
  ]
  const value = fc.option(
    fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: 'grapheme', maxLength: 9 })),
  )
  const mask = fc.constantFrom(undefined, BYTE_STARS, byteConstantMask('[redacted]'), byteConstantMask(null))
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(value, value, value, value), { maxLength: 20 }),
      fc.tuple(mask, mask, mask, mask),
      async (table, masks) => {
        const answer = [
          target.columns(...columns),
          ...table.map((row) => target.values(row)),
          target.complete(`SELECT ${table.length}`),
          target.ready('I'),
        ]
        const steps = [c(client.query('SELECT a, b, c, d FROM a')), t(...answer)]
        const played = async (all: readonly (Mask | undefined)[]): Promise<unknown> => {
          const session = new ScriptedSession(reader, guarded([masksOf(all)]))
          return { ...(await play(session, steps, () => [])), shown: shown(session.toClient) }
        }
        const onTexts = masks.map((one): Mask | undefined => one && { ...one, onBytes: () => undefined })
        expect(await played(masks)).toEqual(await played(onTexts))
      },
    ),
    { numRuns: 300 },
  )
})

it('a row that is none ends the session, and nothing of it goes out', async () => {
  const columns = [ID, SSN, { name: 'tags', type: 1009 }, { name: 'row', type: 2249 }]
  const masks = masksOf(columns.map(() => STARS))
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.boolean(), async (body, isBinary) => {
      const described = target.columns(...columns.map((column) => ({ ...column, format: isBinary ? 1 : 0 })))
      const { code, sent } = await failure(
        [
          c(client.query('SELECT id, ssn, tags, row FROM a')),
          t(described),
          t(message(0x44, Buffer.from(body))),
        ],
        guarded([masks]),
      )
      if (code === undefined) expect(sent).toHaveLength(2)
      else expect({ code, sent }).toEqual({ code: 'MASKING_FAILED', sent: ['T'] })
    }),
    { numRuns: 500 },
  )
})

it('masking gives others a turn when it takes long, and goes on where it was', async () => {
  const slow: Mask = {
    ...REDACTED,
    apply: () => {
      const until = performance.now() + 0.2
      while (performance.now() < until);
      return 'x'
    },
  }
  const session = new ScriptedSession(reader, guarded([masksOf([slow])]))
  await session.client(client.query('SELECT ssn FROM a'))
  const all = Array.from({ length: 200 }, () => target.values(['123-45-6789']))
  await session.target(target.columns(SSN), ...all, target.complete('SELECT 200'), target.ready('I'))
  expect(session.carried).toBeGreaterThan(0)
  while (session.carried > 0) await session.target()
  expect(shown(session.toClient)).toEqual(['T', ...all.map(() => 'D "x"'), 'C', 'Z'])
})

describe('texts that may quote masked values', () => {
  const error = target.fields('E', {
    S: 'ERROR',
    V: 'ERROR',
    C: '22P02',
    M: 'invalid: "123-45-6789"',
    D: 'Key (ssn)=(1)',
    P: '8',
    R: 'int4in',
    n: 'c',
  })
  const notice = target.fields('N', {
    S: 'NOTICE',
    V: 'NOTICE',
    C: '00000',
    M: 'ssn is 123-45-6789',
    W: 'f()',
  })

  it('are replaced; severity, SQLSTATE and position stay', async () => {
    const session = await playEverywhere(
      [c(client.query('SELECT ssn::int FROM a')), t(notice, error, target.ready('I'))],
      [masksOf([REDACTED])],
    )
    const sent = shown(session.toClient)
    expect(sent.join('\n')).not.toMatch(/123|Key|f\(\)/)
    const [, fields = ''] = sent[1]?.split(/^E /) ?? []
    expect(Object.fromEntries(JSON.parse(fields) as [string, string][])).toMatchObject({
      S: 'ERROR',
      C: '22P02',
      P: '8',
      R: 'int4in',
      M: expect.stringContaining('a text is not valid for the type'),
      W: 'Sallyport decision ses_test.1',
    })
  })

  it('are replaced to the end of the transaction, whose end may fail for what was read in it', async () => {
    const session = new ScriptedSession(reader)
    session.guard.masksFor = (reading) =>
      reading.operations.some(({ action }) => action === 'update') ? [masksOf([])] : undefined
    const plain = target.error('23505', 'Key (email)=(a@b.c) already exists')
    await play(
      session,
      [
        c(
          client.query('BEGIN'),
          client.query("UPDATE a SET email = ''"),
          client.query('COMMIT'),
          client.query('COMMIT'),
        ),
        t(target.complete('BEGIN'), target.ready('T'), target.complete('UPDATE 1'), target.ready('T')),
        t(plain, target.ready('I'), plain, target.ready('I')),
      ],
      () => [],
    )
    const errors = shown(session.toClient).filter((line) => line.startsWith('E'))
    expect(errors[0]).not.toContain('a@b.c')
    expect(errors[1]).toContain('a@b.c')
  })

  it('go out as they came where nothing masked is touched', async () => {
    const session = await playEverywhere(
      [c(client.query('SELECT 1')), t(notice, error, target.ready('I'))],
      [masksOf([undefined], { hidesTexts: false })],
    )
    expect(session.toClient.equals(Buffer.concat([notice, error, target.ready('I')]))).toBe(true)
  })

  it('are not sent as settings either', async () => {
    const status = target.parameter('application_name', '123-45-6789')
    const session = await playEverywhere(
      [
        c(client.query('SELECT ssn FROM a')),
        t(target.columns(SSN), target.complete('SELECT 0'), status, target.ready('I')),
      ],
      [masksOf([REDACTED])],
    )
    expect(session.toClient.toString('latin1')).not.toContain('123')
  })

  it('are not sent as notifications while anything is hidden on the target', async () => {
    const guard = new TestGuard()
    guard.hidden = { has: () => false }
    const session = new ScriptedSession(reader, guard)
    await play(session, [t(target.notification('ch', '123-45-6789'))], () => [])
    expect(session.toClient.equals(target.notification('ch', ''))).toBe(true)
  })
})

describe('COPY … TO STDOUT', () => {
  const origins = [
    { relation: 1000, number: 1, type: 'integer' },
    { relation: 1000, number: 2, type: 'text' },
  ]
  const tricky: Mask = { ...REDACTED, apply: () => 'a\tb\\c\n"d",e|' }
  const copies: readonly (readonly [string, string, readonly string[], Mask, readonly string[]])[] = [
    [
      'text',
      '',
      ['1\t123-45-6789\n', '2\t\\N\n', '3\tx\\ty\\\\\n'],
      REDACTED,
      ['1\t[redacted]\n', '2\t\\N\n', '3\t[redacted]\n'],
    ],
    ['text whose mask needs escapes', '', ['1\tx\n'], tricky, ['1\ta\\tb\\\\c\\n"d",e|\n']],
    ['text with a delimiter', "(DELIMITER '|')", ['1|a\\|b\n'], tricky, ['1|a\\tb\\\\c\\n"d",e\\|\n']],
    ['text with a header', '(HEADER)', ['id\tssn\n', '1\tx\n'], REDACTED, ['id\tssn\n', '1\t[redacted]\n']],
    ['text with another NULL', "(NULL '-')", ['1\t-\n', '2\t\\N\n'], REDACTED, ['1\t-\n', '2\t[redacted]\n']],
    [
      'csv',
      '(FORMAT csv)',
      ['1,123\n', '2,\n', '3,""\n', '4,"a,""b""\nc"\n'],
      REDACTED,
      ['1,[redacted]\n', '2,\n', '3,"[redacted]"\n', '4,"[redacted]"\n'],
    ],
    ['csv whose mask needs quotes', '(FORMAT csv)', ['1,x\n'], tricky, ['1,"a\tb\\c\n""d"",e|"\n']],
    [
      'csv with its own quote and escape',
      String.raw`(FORMAT csv, QUOTE '''', ESCAPE '\', DELIMITER ';', HEADER true)`,
      ['id;ssn\n', String.raw`1;'it\'s;` + "\n'\n"],
      { ...REDACTED, apply: () => "it's" },
      ['id;ssn\n', String.raw`1;'it\'s'` + '\n'],
    ],
    ['a value of the target NULL', '', ['1\tx\n'], constantMask(null), ['1\t\\N\n']],
    [
      'rows that are cut between messages',
      '',
      ['1\t12', '3\n2\tb\n3', '\tc\n'],
      REDACTED,
      ['1\t[redacted]\n', '2\t[redacted]\n', '3\t[redacted]\n'],
    ],
    [
      'text by stars where it is',
      '',
      ['1\t123\n', '2\t\\N\n', '3\ta\\tb\n'],
      BYTE_STARS,
      ['1\t***\n', '2\t\\N\n', '3\t***\n'],
    ],
    [
      'text by stars, which have to be escaped',
      "(DELIMITER '*')",
      ['1*123\n'],
      BYTE_STARS,
      ['1*\\*\\*\\*\n'],
    ],
    [
      'csv by stars, which may look like NULL',
      "(FORMAT csv, NULL '**')",
      ['1,ab\n', '2,**\n', '3,abc\n'],
      BYTE_STARS,
      ['1,"**"\n', '2,**\n', '3,***\n'],
    ],
    [
      'csv by a constant that needs quotes, or has them as the value did',
      '(FORMAT csv)',
      ['1,a\n', '2,"b"\n'],
      byteConstantMask('x,y'),
      ['1,"x,y"\n', '2,"x,y"\n'],
    ],
    [
      'csv by a constant, in quotes where the value was',
      '(FORMAT csv)',
      ['1,a long value\n', '2,""\n', '3,\n'],
      byteConstantMask('x'),
      ['1,x\n', '2,"x"\n', '3,\n'],
    ],
    ['text by a constant', '', ['1\tx\n', '2\t\\N\n'], byteConstantMask('a\tb'), ['1\ta\\tb\n', '2\t\\N\n']],
    ['a last row without an end', '', ['1\tx\n2\ty'], REDACTED, ['1\t[redacted]\n', '2\t[redacted]']],
  ]
  it.each(copies)('masks %s', async (_, options, data, mask, expected) => {
    const session = await playEverywhere(
      [
        c(client.query(`COPY a TO STDOUT ${options}`)),
        t(
          target.copyOutOf(2),
          ...data.map(target.copyData),
          target.copyDone,
          target.complete('COPY 3'),
          target.ready('I'),
        ),
      ],
      [masksOf([undefined, mask], { origins })],
    )
    expect(shown(session.toClient)).toEqual([
      'H',
      ...expected.map((row) => `d ${JSON.stringify(row)}`),
      'c',
      'C',
      'Z',
    ])
  })

  it('has NULL for what is of no known type', async () => {
    const session = await playEverywhere(
      [
        c(client.query('COPY (SELECT lower(ssn) FROM a) TO STDOUT')),
        t(
          target.copyOutOf(1),
          target.copyData('x\n'),
          target.copyDone,
          target.complete('COPY 1'),
          target.ready('I'),
        ),
      ],
      [masksOf([REDACTED])],
    )
    expect(shown(session.toClient)[1]).toBe(String.raw`d "\\N\n"`)
  })

  it.each(['(FORMAT binary)', "(ENCODING 'LATIN1')", "(FORMAT 'json')"])(
    'is denied %s where something is masked',
    async (options) => {
      const session = new ScriptedSession(reader, guarded([masksOf([REDACTED])]))
      await session.client(client.query(`COPY a TO STDOUT ${options}`))
      expect(session.guard.recorder.texts('deny')).toEqual([`COPY a TO STDOUT ${options}`])
      const free = new ScriptedSession(reader, guarded([masksOf([undefined])]))
      await free.client(client.query(`COPY a TO STDOUT ${options}`))
      expect(free.guard.recorder.texts('permit')).toEqual([`COPY a TO STDOUT ${options}`])
    },
  )

  it('is closed when it is in binary though it was not said to be', async () => {
    const binary = Buffer.from(target.copyOutOf(1))
    binary[5] = 1
    const { code } = await failure(
      [c(client.query('COPY a TO STDOUT')), t(binary, target.copyData('x'))],
      guarded([masksOf([REDACTED])]),
    )
    expect(code).toBe('MASKING_FAILED')
  })

  it('is closed when a row has another number of values', async () => {
    for (const row of ['1\n', '1\t2\t3\n']) {
      const { code, sent } = await failure(
        [c(client.query('COPY a TO STDOUT')), t(target.copyOutOf(2), target.copyData(row))],
        guarded([masksOf([undefined, REDACTED], { origins })]),
      )
      expect(code).toBe('MASKING_FAILED')
      expect(sent.filter((line) => line.startsWith('d'))).toEqual([])
    }
  })
})

describe('a detector', () => {
  const detector: Mask = {
    dataClass: 'pii.found',
    method: 'redact',
    apply: (value) => value.replaceAll(/\d{3}-\d{2}-\d{4}/g, '[ssn]'),
  }

  it('looks into texts that have no mask of their own, and leaves what it does not find', async () => {
    const columns = [
      { name: 'a', type: 25 },
      { name: 'b', type: 3802 },
      { name: 'c', type: 1009 },
      { name: 'd', type: 2249 },
      { name: 'e', type: 23 },
    ]
    const row = ['is 123-45-6789', '{"s": "123-45-6789"}', '{x,123-45-6789}', '(1,123-45-6789)', '123']
    const clean = ['is', '{}', '{x}', '(1,2)', '123']
    const session = await playEverywhere(
      [
        c(client.query('SELECT a, b, c, d, e FROM a')),
        t(
          target.columns(...columns),
          target.values(row),
          target.values(clean),
          target.complete('SELECT 2'),
          target.ready('I'),
        ),
      ],
      [
        masksOf(
          columns.map(() => undefined),
          { detector },
        ),
      ],
    )
    expect(shown(session.toClient).slice(1, 3)).toEqual([
      String.raw`D "is [ssn]" "{\"s\": \"[ssn]\"}" "{x,[ssn]}" "(,)" "123"`,
      'D "is" "{}" "{x}" "(1,2)" "123"',
    ])
    expect(session.guard.recorder.masked[0]?.map(({ column, values }) => [column, values])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
      ['d', 1],
    ])
  })
})
