import { createHash } from 'node:crypto'
import type { MaskKeys } from './mask-for.ts'

/** Keys as an installation has them; another name is another installation. */
export function keysOf(installation: string): MaskKeys {
  return (purpose) => createHash('sha256').update(`${installation} ${purpose}`).digest()
}
