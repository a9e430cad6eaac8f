import { expect, test } from 'vitest'
import { ago, byteCount, duration, seconds } from './humane.ts'
import { jsonRow, jsonValue } from './json-value.ts'
import { listText, tableText, visible } from './output.ts'
import { timeline } from './timeline.ts'

test.each([
  [0.83, '830µs'],
  [4.12, '4.1ms'],
  [999, '999ms'],
  [1_240, '1.2s'],
  [252_000, '4m 12s'],
  [11_100_000, '3h 5m'],
  [187_200_000, '2d 4h'],
  [3_600_000, '1h'],
])('%d ms is %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text)
})

test.each([
  [0, '0s ago'],
  [59_999, '59s ago'],
  [60_000, '1m ago'],
  [7_200_000, '2h ago'],
  [172_800_000, '2d ago'],
  [-5_000, '0s ago'],
])('%d ms back is %s', (back, text) => {
  expect(ago(1_000_000_000_000 - back, 1_000_000_000_000)).toBe(text)
})

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [4_100, '4.1 kB'],
  [12_000_000, '12 MB'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteCount(bytes)).toBe(text)
})

test.each([
  ['90', 90],
  ['90s', 90],
  ['15m', 900],
  ['1h', 3600],
  ['soon', undefined],
  ['-1s', undefined],
  ['1.5h', undefined],
])('%j is %s seconds', (text, expected) => {
  expect(seconds(text)).toBe(expected)
})

test.each([
  ['t', 16, true],
  ['42', 23, 42],
  ['9007199254740993', 20, '9007199254740993'],
  ['1.50', 1700, '1.50'],
  ['0.25', 701, 0.25],
  ['NaN', 701, 'NaN'],
  ['{"a":1}', 3802, { a: 1 }],
  ['2026-01-31', 1082, '2026-01-31'],
  [null, 23, null],
])('%j of type %i is %j in JSON', (text, type, expected) => {
  expect(jsonValue(text, type)).toEqual(expected)
})

test('columns of one name keep their values, and none can reach the prototype', () => {
  const columns = ['id', 'id', '__proto__'].map((name) => ({ name, type: 25 }))
  expect(JSON.stringify(jsonRow(columns, ['1', '2', '3']))).toBe('{"id":"1","id_2":"2","__proto__":"3"}')
})

test('numbers line up by their last digit', () => {
  const text = tableText(
    [{ heading: 'name' }, { heading: 'n', right: true }],
    [
      ['a', '1'],
      ['bb', '100'],
    ],
  )
  expect(text).toBe('name    n\na       1\nbb    100\n')
})

test('what a database holds cannot steer the terminal', () => {
  expect(visible('\u001b[2Jx\u0007\u202ey\nz')).toBe('\\u001b[2Jx\\u0007\\u202ey↵z')
})

test('an empty list is an empty array for scripts', () => {
  expect(listText([], [], 'json')).toBe('[]\n')
  expect(listText([], [], 'jsonl')).toBe('')
})

test('a session is told in order, with decisions, rows and durations', () => {
  const at = '2026-01-31T10:00:00.000Z'
  const text = timeline(
    {
      id: 'ses_1',
      principal: { kind: 'agent', id: 'insight-agent', actingFor: { kind: 'user', id: 'ana' } },
      target: 'shop',
      via: 'mcp',
      purpose: 'monthly report',
      clientSession: '7c9e',
      toolUseId: 'toolu_1',
      sourceIp: '127.0.0.1',
      startedAt: at,
      endedAt: '2026-01-31T10:00:02.500Z',
      endReason: 'client',
      statements: 2,
      denied: 1,
      rows: 3,
      bytes: 120,
    },
    [
      { n: 0, at, kind: 'start' },
      {
        n: 1,
        at,
        kind: 'statement',
        text: 'SELECT *\n  FROM orders',
        decision: {
          id: 'ses_1.1',
          effect: 'permit',
          policies: ['reads'],
          operations: ['select public.orders'],
        },
      },
      {
        n: 2,
        at,
        kind: 'statement',
        text: 'DROP TABLE orders',
        decision: {
          id: 'ses_1.2',
          effect: 'deny',
          policies: [],
          operations: ['drop public.orders'],
          reason: 'no',
        },
      },
      { n: 3, at, kind: 'result', of: 1, tag: 'SELECT 3', rows: 3, bytes: 120, micros: 4100 },
      { n: 4, at, kind: 'end', reason: 'client' },
    ],
  )
  const told = text.replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, 'TIME')
  expect(told).toBe(
    [
      'ses_1  insight-agent for ana → shop (mcp)  2.5s',
      'purpose   monthly report',
      'caused by tool call toolu_1, agent session 7c9e (reported by the client)',
      'totals    2 statements, 1 denied, 3 rows, 120 B',
      '',
      'TIME  START',
      'TIME  SQL #1  SELECT * FROM orders',
      '              ✓ allow  policy reads · select public.orders',
      '              → SELECT 3 · 3 rows · 120 B · 4.1ms',
      'TIME  SQL #2  DROP TABLE orders',
      '              ✗ deny  no policy permits it · drop public.orders',
      '              no',
      'TIME  END     client',
      '',
    ].join('\n'),
  )
})
