import type { Mask } from '../access/masking.ts'
import { redact } from './redact.ts'

/** A quoted name, a string, a name, or a number, as PostgreSQL writes expressions out. */
const TOKEN = /"((?:[^"]|"")*)"|'(?:[^']|'')*'|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|\d+(?:\.\d+)?/g
/** Of a partition: values of the columns that it is partitioned by, whatever they are called. */
const BOUNDS = /^FOR VALUES\b/

/**
 * The mask for what PostgreSQL writes a definition out as (`pg_get_indexdef`, `pg_get_expr`): its constants are hidden where it
 * names a hidden column, and what it is stays readable.
 * @param columns the names of hidden columns, or `all` where any may be one
 */
export function definitionMask(columns: ReadonlySet<string> | 'all', dataClass: string): Mask {
  return {
    dataClass,
    method: 'redact',
    apply: (value, kind) => {
      if (kind !== 'text') return redact(value, kind)
      return BOUNDS.test(value) || names(value, columns) ? withoutConstants(value) : value
    },
  }
}

function names(definition: string, columns: ReadonlySet<string> | 'all'): boolean {
  if (columns === 'all') return true
  for (const [, quoted, bare] of definition.matchAll(TOKEN)) {
    if (columns.has(quoted?.replaceAll('""', '"') ?? bare ?? '')) return true
  }
  return false
}

function withoutConstants(definition: string): string {
  return definition.replaceAll(TOKEN, (token, quoted?: string, bare?: string) => {
    if (quoted !== undefined || bare !== undefined) return token
    return token.startsWith("'") ? "'[redacted]'" : '[redacted]'
  })
}
