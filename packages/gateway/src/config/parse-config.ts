import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import type { z } from 'zod'
import { SallyportError } from '../access/errors.ts'
import { didYouMean } from '../access/did-you-mean.ts'
import type { ConfigFile } from './schema.ts'
import { configSchema } from './schema.ts'
import { shapeAt } from './schema-shape.ts'

/**
 * The text of a configuration file, checked, with defaults filled in.
 * @param name the file's name, for messages
 * @throws SallyportError CONFIG_INVALID with every problem, each as `name:line:column: what is wrong`
 */
export function parseConfig(text: string, name: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number, message: string): string => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}: ${message}`
  }
  if (document.errors.length > 0) {
    throw configInvalid(document.errors.map((error) => at(error.pos[0], error.message)))
  }
  const checked = configSchema.safeParse(document.contents === null ? {} : valueOf(document))
  if (checked.success) return checked.data
  throw configInvalid(checked.error.issues.flatMap((issue) => problems(issue, document, at)))
}

export function configInvalid(problems: readonly string[]): SallyportError {
  return new SallyportError('CONFIG_INVALID', problems.join('\n'), {
    hint: 'docs/reference/config.md lists every key',
  })
}

function problems(
  issue: z.core.$ZodIssue,
  document: Document,
  at: (offset: number, message: string) => string,
): readonly string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(shapeAt(configSchema, issue.path))
    return issue.keys.map((key) => {
      const hint = didYouMean(key, known)
      return at(
        keyOffset(document, issue.path, key),
        `unknown key "${key}"${hint === undefined ? '' : `, ${hint}`}`,
      )
    })
  }
  const name = issue.path.join('.')
  const missing = issue.code === 'invalid_type' && issue.input === undefined && !document.hasIn(issue.path)
  const message = missing ? `"${name}" is missing` : `"${name}": ${issue.message}`
  return [at(valueOffset(document, issue.path), name === '' ? issue.message : message)]
}

/** Null for what cannot become a value (aliases that multiply beyond the library's bound): the schema refuses it. */
function valueOf(document: Document): unknown {
  try {
    return document.toJS()
  } catch {
    return null
  }
}

function keyOffset(document: Document, path: readonly PropertyKey[], key: string): number {
  const parent = path.length === 0 ? document.contents : document.getIn(path, true)
  const pair = isMap(parent)
    ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
    : undefined
  return pair && isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0
}

/** Of the nearest thing around it that is in the file. */
function valueOffset(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node)) return node.range?.[0] ?? 0
  }
  return document.contents?.range?.[0] ?? 0
}
