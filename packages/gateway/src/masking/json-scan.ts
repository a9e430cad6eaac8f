/** Deeper than this, nothing that a person or program stores is; each level is a frame on our own stack. */
const DEEPEST = 100

/** What stands at one place of a JSON text: from `start` up to `end`. */
export interface JsonLeaf {
  readonly kind: 'string' | 'number' | 'boolean' | 'null'
  readonly start: number
  readonly end: number
}

/** Told what a JSON text holds, in order. */
export interface JsonVisitor {
  /** @param path the keys that lead here; elements of arrays have the path of their array */
  leaf(leaf: JsonLeaf, path: readonly string[]): void
  /** @param position the key's number in its object, from 1 */
  key(key: string, leaf: JsonLeaf, path: readonly string[], position: number): void
}

/**
 * Walks a JSON text (RFC 8259) without taking it apart, so that what is not changed stays as it is written: long numbers,
 * doubled keys and all.
 * @returns false when it is no JSON, or nested too deep; the visitor may have been called before that
 */
export function scanJson(text: string, visitor: JsonVisitor): boolean {
  const scanner = new Scanner(text, visitor)
  return scanner.value([], 0) && scanner.isAtEnd()
}

class Scanner {
  readonly #text: string
  readonly #visitor: JsonVisitor
  #at = 0

  constructor(text: string, visitor: JsonVisitor) {
    this.#text = text
    this.#visitor = visitor
  }

  value(path: readonly string[], depth: number): boolean {
    if (depth > DEEPEST) return false
    const first = this.#peek()
    if (first === '{') return this.#object(path, depth)
    if (first === '[') return this.#array(path, depth)
    const leaf = first === '"' ? this.#string() : this.#scalar()
    if (leaf === undefined) return false
    this.#visitor.leaf(leaf, path)
    return true
  }

  isAtEnd(): boolean {
    return this.#peek() === ''
  }

  #object(path: readonly string[], depth: number): boolean {
    this.#at += 1
    if (this.#take('}')) return true
    for (let position = 1; ; position += 1) {
      const leaf = this.#peek() === '"' ? this.#string() : undefined
      const key = leaf === undefined ? undefined : stringOf(this.#text, leaf)
      if (leaf === undefined || key === undefined || !this.#take(':')) return false
      const within = [...path, key]
      this.#visitor.key(key, leaf, within, position)
      if (!this.value(within, depth + 1)) return false
      if (this.#take('}')) return true
      if (!this.#take(',')) return false
    }
  }

  #array(path: readonly string[], depth: number): boolean {
    this.#at += 1
    if (this.#take(']')) return true
    for (;;) {
      if (!this.value(path, depth + 1)) return false
      if (this.#take(']')) return true
      if (!this.#take(',')) return false
    }
  }

  #string(): JsonLeaf | undefined {
    const start = this.#at
    for (let at = start + 1; at < this.#text.length; at += 1) {
      const code = this.#text.charCodeAt(at)
      if (code === 0x5c) at += 1
      else if (code === 0x22) {
        this.#at = at + 1
        const leaf: JsonLeaf = { kind: 'string', start, end: at + 1 }
        return stringOf(this.#text, leaf) === undefined ? undefined : leaf
      }
    }
    return undefined
  }

  #scalar(): JsonLeaf | undefined {
    const scalar = /(?:(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false)|null)(?![\w.+-])/y
    scalar.lastIndex = this.#at
    const found = scalar.exec(this.#text)
    if (found === null) return undefined
    const start = this.#at
    this.#at = scalar.lastIndex
    const kind = found[1] !== undefined ? 'number' : found[2] !== undefined ? 'boolean' : 'null'
    return { kind, start, end: this.#at }
  }

  /** The next character after white space, or '' at the end. */
  #peek(): string {
    while (' \t\n\r'.includes(this.#text.charAt(this.#at)) && this.#at < this.#text.length) this.#at += 1
    return this.#text.charAt(this.#at)
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false
    this.#at += 1
    return true
  }
}

/** What a string in quotes says; undefined when it is badly written. */
export function stringOf(text: string, leaf: JsonLeaf): string | undefined {
  try {
    const value: unknown = JSON.parse(text.slice(leaf.start, leaf.end))
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
