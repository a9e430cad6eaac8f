import { expect, test } from 'vitest'
import { packLines, unpackLines } from './packed-lines.ts'

test('lines come back as they were packed', async () => {
  const lines = ['{"s":"ses_a","n":0}', '{"text":"ünï → \\u0000"}', '']
  expect(await unpackLines(packLines(Buffer.from(lines.join('\n'))))).toEqual(lines)
})

test('what is not packed lines is refused', async () => {
  await expect(unpackLines(Buffer.from('{"s":"ses_a"}'))).rejects.toThrow()
})
