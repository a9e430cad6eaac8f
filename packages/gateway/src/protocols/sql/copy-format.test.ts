import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, expect, it } from 'vitest'
import { type CopyFormat, copyFormat } from './copy-format.ts'
import { fieldsOf, list, nodeOf } from './tree.ts'

beforeAll(() => loadModule())

function read(sql: string): CopyFormat {
  const [statement] = list(fieldsOf(parseSync(sql))?.['stmts'])
  const copy = nodeOf(fieldsOf(statement)?.['stmt'], 'CopyStmt')
  if (copy === undefined) throw new Error('no COPY')
  return copyFormat(copy)
}

const TEXT = { format: 'text', delimiter: '\t', null: String.raw`\N`, header: false } as const
const CSV = { format: 'csv', delimiter: ',', null: '', header: false, quote: '"', escape: '"' } as const

it.each<readonly [string, CopyFormat]>([
  ['', TEXT],
  ["(DELIMITER '|', NULL '-')", { ...TEXT, delimiter: '|', null: '-' }],
  ['(HEADER)', { ...TEXT, header: true }],
  ['(HEADER true)', { ...TEXT, header: true }],
  ['(HEADER 1)', { ...TEXT, header: true }],
  ['(HEADER off)', TEXT],
  ['(HEADER 0)', TEXT],
  ['(FORMAT csv)', CSV],
  ['CSV HEADER', { ...CSV, header: true }],
  ["WITH CSV DELIMITER ';' QUOTE ''''", { ...CSV, delimiter: ';', quote: "'", escape: "'" }],
  [String.raw`(FORMAT csv, ESCAPE '\', FORCE_QUOTE *)`, { ...CSV, escape: '\\' }],
  ["(FORMAT text, ENCODING 'utf-8')", TEXT],
])('COPY … TO STDOUT %s is read as it is written', (options, expected) => {
  expect(read(`COPY t TO STDOUT ${options}`)).toEqual(expected)
})

it.each([
  '(FORMAT binary)',
  "(ENCODING 'SJIS')",
  '(HEADER match)',
  "(HEADER 'perhaps')",
  "(FORMAT 'json')",
  '(SOMETHING)',
  "(DELIMITER '||')",
  "(DELIMITER 'é')",
])('COPY … TO STDOUT %s cannot be taken apart', (options) => {
  expect(read(`COPY t TO STDOUT ${options}`).format).toBe('closed')
})
