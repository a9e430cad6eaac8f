import { isMap, isNode, isScalar, LineCounter, parseAllDocuments } from 'yaml'
import type { Document } from 'yaml'
import { z } from 'zod'
import { didYouMean } from '../access/did-you-mean.ts'
import type { ResourceFile } from './ports.ts'
import type { ResourceProblem } from './resource-problem.ts'
import { KINDS } from './resource-schemas.ts'

type Kinds = typeof KINDS
export type YamlResource = z.output<Kinds[keyof Kinds]>

/** One document of a file, and how to say where in it something is. */
export interface ReadResource {
  readonly resource: YamlResource
  problem(path: readonly PropertyKey[], message: string, hint?: string): ResourceProblem
}

/**
 * Every document of a YAML file as a resource. Problems are appended to `problems`, and what has one is left out.
 * Empty documents are skipped.
 */
export function readYaml(file: ResourceFile, problems: ResourceProblem[]): readonly ReadResource[] {
  const lines = new LineCounter()
  const read: ReadResource[] = []
  for (const document of parseAllDocuments(file.text, { lineCounter: lines, prettyErrors: false })) {
    const at = (offset: number, message: string, hint?: string): ResourceProblem => {
      const { line, col } = lines.linePos(offset)
      return { path: file.path, line, column: col, message, ...(hint === undefined ? {} : { hint }) }
    }
    if (document.errors.length > 0) {
      problems.push(...document.errors.map((error) => at(error.pos[0], error.message)))
      continue
    }
    if (document.contents === null || isEmpty(document)) continue
    const problem: ReadResource['problem'] = (path, message, hint) =>
      at(offsetOf(document, path, false), message, hint)
    const schema = schemaFor(document)
    if (schema === undefined) {
      problems.push(unknownKind(document, problem))
      continue
    }
    const checked = schema.safeParse(valueOf(document))
    if (checked.success) {
      read.push({ resource: checked.data, problem })
      continue
    }
    for (const issue of checked.error.issues) {
      if (issue.code !== 'unrecognized_keys') {
        problems.push(problem(issue.path, messageFor(document, issue)))
        continue
      }
      for (const key of issue.keys) {
        const offset = offsetOf(document, [...issue.path, key], true)
        problems.push(at(offset, `unknown key "${key}"`, didYouMean(key, keysAt(schema, issue.path))))
      }
    }
  }
  return read
}

function isEmpty({ contents }: Document): boolean {
  return isScalar(contents) && contents.value === null
}

function schemaFor(document: Document): Kinds[keyof Kinds] | undefined {
  const kind = isMap(document.contents) ? document.get('kind') : undefined
  return Object.values(KINDS).find((schema) => schema.shape.kind.value === kind)
}

function unknownKind(document: Document, problem: ReadResource['problem']): ResourceProblem {
  const known = Object.keys(KINDS)
  if (!isMap(document.contents) || !document.has('kind')) {
    return problem([], 'a resource needs a "kind"', `one of ${known.join(', ')}`)
  }
  const kind = String(document.get('kind'))
  return problem(
    ['kind'],
    `unknown kind "${kind}"`,
    didYouMean(kind, known) ?? `known are ${known.join(', ')}`,
  )
}

/** Null for what cannot become a value (aliases that multiply beyond the library's bound): no schema accepts it. */
function valueOf(document: Document): unknown {
  try {
    return document.toJS()
  } catch {
    return null
  }
}

function messageFor(document: Document, issue: z.core.$ZodIssue): string {
  const name = issue.path.map(String).join('.')
  if (isMissing(document, issue.path)) return `"${name}" is missing`
  return name === '' ? issue.message : `"${name}": ${issue.message}`
}

function isMissing(document: Document, path: readonly PropertyKey[]): boolean {
  return path.length > 0 && isMap(document.getIn(path.slice(0, -1), true)) && !document.hasIn(path)
}

/** Where the value (or the key) at a path begins; where its nearest parent does, when it is missing. */
function offsetOf(document: Document, path: readonly PropertyKey[], key: boolean): number {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true)
    const last = path[length - 1]
    if (key && length === path.length && isMap(parent)) {
      const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === last)
      if (pair && isNode(pair.key)) return pair.key.range?.[0] ?? 0
    }
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node)) return node.range?.[0] ?? 0
  }
  return document.contents?.range?.[0] ?? 0
}

/** The keys that a schema knows at a path, looking through defaults, optionals and preprocessing. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  let here: z.core.$ZodType | undefined = schema
  for (const step of path) {
    const inner = unwrapped(here)
    if (inner instanceof z.ZodArray) here = inner.element
    else if (inner instanceof z.ZodObject) here = inner.shape[String(step)]
    else return []
    if (here === undefined) return []
  }
  const inner = unwrapped(here)
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return unwrapped(schema.unwrap())
  if (!(schema instanceof z.ZodPipe)) return schema
  return unwrapped(schema.in instanceof z.ZodTransform ? schema.out : schema.in)
}
