import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ana, asked, bo, facts, person, statement } from './approval.fixture.ts'
import { approvalDigest } from './digest.ts'
import type { ApprovalAsked } from './ports.ts'

const parameters = statement().parameters
const [first, second] = parameters
const reading = statement().reading

const DIFFERENCES: readonly (readonly [what: string, changed: Partial<ApprovalAsked>])[] = [
  ['another text', { statement: statement({ text: 'UPDATE orders SET status = $1 WHERE id > $2' }) }],
  ['a space more', { statement: statement({ text: `${statement().text} ` }) }],
  ['a comment', { statement: statement({ text: `${statement().text}--` }) }],
  ['a look-alike letter', { statement: statement({ text: statement().text.replace('o', 'о') }) }],
  [
    'another value',
    {
      statement: statement({
        parameters: [...parameters.slice(0, 1), { format: 0, type: 23, value: Buffer.from('102') }],
      }),
    },
  ],
  [
    'the same bytes in another format',
    { statement: statement({ parameters: parameters.map((one) => ({ ...one, format: 1 })) }) },
  ],
  [
    'the same bytes as another type',
    { statement: statement({ parameters: parameters.map((one) => ({ ...one, type: 0 })) }) },
  ],
  ['values in another order', { statement: statement({ parameters: parameters.toReversed() }) }],
  ['a value less', { statement: statement({ parameters: parameters.slice(0, 1) }) }],
  [
    'NULL in place of an empty value',
    { statement: statement({ parameters: [{ format: 0, type: 25, value: null }] }) },
  ],
  [
    'a prepared statement behind its name',
    { statement: statement({ executes: [{ name: 'q', text: 'SELECT 1' }] }) },
  ],
  ['another one of the same name', { statement: statement({ executes: [{ name: 'q', text: 'SELECT 2' }] }) }],
  ['another search path', { statement: statement({ searchPath: ['evil', 'public'] }) }],
  ['a search path in another order', { statement: statement({ searchPath: ['public', 'evil'] }) }],
  [
    'a name that stands for another table',
    {
      statement: statement({
        reading: {
          ...reading,
          operations: [{ action: 'update', resource: { type: 'Table', schema: 'evil', table: 'orders' } }],
        },
      }),
    },
  ],
  [
    'other columns',
    {
      statement: statement({
        reading: { ...reading, operations: [{ ...reading.operations[0], columns: ['id'] }] as never },
      }),
    },
  ],
  ['other privileges', { statement: statement({ reading: { ...reading, needs: [] } }) }],
  [
    'a function that is called',
    { statement: statement({ reading: { ...reading, facts: { ...facts, functions: ['pg_sleep'] } } }) },
  ],
  ['a table that was made anew by the same name', { statement: statement({ objects: 'other' }) }],
  ['another target', { target: 'other' }],
  ['another database', { database: 'other' }],
  ['another principal', { principal: person('other-agent', [], { kind: 'agent', actingFor: ana }) }],
  ['another person behind it', { principal: person('insight-agent', [], { kind: 'agent', actingFor: bo }) }],
  ['nobody behind it', { principal: person('insight-agent', [], { kind: 'agent' }) }],
  [
    'the same id at another issuer',
    {
      principal: person('insight-agent', [], { kind: 'agent', issuer: 'https://other.test', actingFor: ana }),
    },
  ],
  ['other policies', { policyVersion: 'v2' }],
  ['the connection itself', { statement: undefined }],
]

test.each(DIFFERENCES)('%s is another digest', (_, changed) => {
  expect(approvalDigest(asked(changed))).not.toBe(approvalDigest(asked()))
})

test('all of these differ from each other too', () => {
  const digests = new Set(DIFFERENCES.map(([, changed]) => approvalDigest(asked(changed))))
  expect(digests.size).toBe(DIFFERENCES.length)
})

test.each<[string, Partial<ApprovalAsked>]>([
  ['where it came from', { sourceIp: '10.0.0.1', via: 'postgres', sessionId: 'ses_2' }],
  ['what the client says of itself', { reported: { purpose: 'something else' } }],
  ['what the policies ask', { need: { policies: ['x'], rules: [], reason: 'y' } }],
  ['groups', { principal: person('insight-agent', ['more'], { kind: 'agent', actingFor: ana }) }],
])('%s is no part of it', (_, changed) => {
  expect(approvalDigest(asked(changed))).toBe(approvalDigest(asked()))
})

test('members in another order are the same reading', () => {
  const [operation] = reading.operations
  const turned = Object.fromEntries(Object.entries(operation ?? {}).toReversed()) as never
  const same = statement({ reading: { ...reading, operations: [turned] } })
  expect(approvalDigest(asked({ statement: same }))).toBe(approvalDigest(asked()))
})

test('text cannot be moved from one part to the next', () => {
  const parts = fc.record({
    target: fc.string(),
    database: fc.string(),
    policyVersion: fc.string(),
    text: fc.string(),
    searchPath: fc.array(fc.string(), { maxLength: 3 }),
    values: fc.array(fc.option(fc.uint8Array({ maxLength: 4 })), { maxLength: 3 }),
  })
  const bindingOf = ({
    text,
    searchPath,
    values,
    ...rest
  }: typeof parts extends fc.Arbitrary<infer T> ? T : never) =>
    asked({
      ...rest,
      statement: statement({
        text,
        searchPath,
        parameters: values.map((value) => ({
          format: 0,
          type: 0,
          value: value === null ? null : Buffer.from(value),
        })),
      }),
    })
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      const same = JSON.stringify(bindingOf(a)) === JSON.stringify(bindingOf(b))
      expect(approvalDigest(bindingOf(a)) === approvalDigest(bindingOf(b))).toBe(same)
    }),
  )
})

test('a value is taken as its bytes', () => {
  expect(first?.value?.toString()).toBe('refunded')
  const copy = Buffer.concat([second?.value ?? Buffer.alloc(0)])
  const same = statement({ parameters: [first, { format: 0, type: 23, value: copy }] as never })
  expect(approvalDigest(asked({ statement: same }))).toBe(approvalDigest(asked()))
})
