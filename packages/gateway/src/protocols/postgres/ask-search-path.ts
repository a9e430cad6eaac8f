import type { SearchPath } from '../sql/search-path.ts'
import { parseSearchPath } from '../sql/search-path.ts'
import { encodeBind, encodeClose, encodeExecute, encodeParse, SYNC } from './messages.ts'

/**
 * Asks the target for its search path, when nothing else is on its way. In the extended protocol and under names of its
 * own, because a simple query would destroy the client's unnamed statement and portal ("Extended Query"). SHOW takes no
 * snapshot and no transaction id, so that a transaction that has not begun to work can still be told how.
 */
export function askSearchPath(nonce: string): Buffer {
  const name = `sallyport_ask_${nonce}`
  return Buffer.concat([
    encodeParse(name, 'SHOW search_path'),
    encodeBind(name, name),
    encodeExecute(name),
    encodeClose('portal', name),
    encodeClose('statement', name),
    SYNC,
  ])
}

/** DataRow with one text value: Int16(1) Int32(length) Byte*. Undefined when it is none, or no path. */
export function readSearchPathRow(bytes: Buffer, start: number, end: number): SearchPath | undefined {
  if (end - start < 6 || bytes.readInt16BE(start) !== 1) return undefined
  const length = bytes.readInt32BE(start + 2)
  return length === end - start - 6 ? parseSearchPath(bytes.toString('utf8', start + 6, end)) : undefined
}
