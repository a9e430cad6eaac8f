import { isUtf8 } from 'node:buffer'

/**
 * The longest statement that is read, in bytes. A list of literals of this size keeps a parser busy for about 100 ms;
 * whoever has more data to send has COPY and parameters.
 */
const MAX_STATEMENT_BYTES = 256 * 1024

/**
 * The text of a statement from the wire (without its closing NUL), or undefined when its bytes are no valid UTF-8:
 * PostgreSQL and the parser could then see two different statements.
 */
export function decodeStatement(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

/** Why a text must not even be shown to the parser, or undefined when it may. */
export function refuseText(text: string): string | undefined {
  if (text.length > MAX_STATEMENT_BYTES || Buffer.byteLength(text) > MAX_STATEMENT_BYTES) {
    return `it is longer than ${MAX_STATEMENT_BYTES / 1024} KiB; send data with COPY or as parameters`
  }
  // The parser stops at a NUL and would not see what follows.
  if (text.includes('\0')) return 'it contains a NUL character'
  // U+FFFD stands where a lenient decoder met bytes that are no UTF-8.
  if (!text.isWellFormed() || text.includes('\uFFFD')) return 'it is not valid UTF-8'
  return undefined
}
