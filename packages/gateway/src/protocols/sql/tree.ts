import { PARSE_TREE } from './parse-tree.ts'

/** The fields of one node. Which type of node it is, is told beside it. */
export type Fields = Readonly<Record<string, unknown>>

/** A node of the parse tree with its type. */
export interface Tagged {
  readonly tag: string
  readonly fields: Fields
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The fields of an untagged node, or undefined. */
export function fieldsOf(value: unknown): Fields | undefined {
  return isFields(value) ? value : undefined
}

/** A tagged node (`{ RangeVar: { … } }`). Undefined for an empty one, and for what is no node. */
export function tagged(value: unknown): Tagged | undefined {
  if (!isFields(value)) return undefined
  const [first, ...others] = Object.entries(value)
  if (first === undefined || others.length > 0 || !isFields(first[1])) return undefined
  return { tag: first[0], fields: first[1] }
}

/** The fields of a node that must be of this type, or undefined. */
export function nodeOf(value: unknown, tag: string): Fields | undefined {
  const node = tagged(value)
  return node?.tag === tag ? node.fields : undefined
}

export function list(value: unknown): readonly unknown[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : []
  return items
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** The parts of a dotted name; empty when anything but a name is in it. */
export function nameParts(value: unknown): readonly string[] {
  const parts: string[] = []
  for (const item of list(value)) {
    const part = text(nodeOf(item, 'String')?.['sval'] ?? (nodeOf(item, 'String') ? '' : undefined))
    if (part === undefined) return []
    parts.push(part)
  }
  return parts
}

export interface Visitor {
  node(tag: string, fields: Fields): void
  /** Something that the analysis does not know, and that might hold anything. */
  unknown(what: string): void
}

/** Shows every node directly below one to the visitor, in the order of the parser's own fields. */
export function visitChildren(tag: string, fields: Fields, visitor: Visitor): void {
  const known = PARSE_TREE.get(tag)
  if (known === undefined) {
    visitor.unknown(tag)
    return
  }
  for (const key in fields) {
    const value = fields[key]
    if (typeof value !== 'object' || value === null) continue
    visitField(known.get(key), `${tag}.${key}`, value, visitor)
  }
}

function visitField(kind: string | undefined, where: string, value: object, visitor: Visitor): void {
  if (kind === 'Node') visitNode(value, where, visitor)
  else if (kind === 'Node[]' && Array.isArray(value)) {
    for (const item of list(value)) visitNode(item, where, visitor)
  } else if (kind !== undefined && kind !== 'Node[]' && isFields(value)) visitor.node(kind, value)
  else visitor.unknown(where)
}

/** Shows one tagged node to the visitor; an empty one (the parser's NULL) is nothing. */
export function visitNode(value: unknown, where: string, visitor: Visitor): void {
  if (value === undefined || value === null) return
  const node = tagged(value)
  if (node) visitor.node(node.tag, node.fields)
  else if (!isFields(value) || Object.keys(value).length > 0) visitor.unknown(where)
}
