/**
 * A row value with every field NULL, which is a value of any row type: what its fields are is not said in its text form.
 * @param text as `record_out` writes it: `(1,"a ""b""",)`
 * @throws RangeError for what is no row
 */
export function emptyRecordText(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) throw noRecord()
  let commas = 0
  let isQuoted = false
  for (let at = 1; at < text.length - 1; at++) {
    const character = text.charAt(at)
    if (character === '\\') at++
    else if (character === '"') isQuoted = !isQuoted
    else if (character === ',' && !isQuoted) commas++
  }
  return `(${','.repeat(commas)})`
}

/**
 * The same for the binary form (`record_send`): Int32 count, and for each field Int32 type, Int32 length, -1 for NULL, and
 * the value.
 * @throws RangeError for what is no row
 */
export function emptyRecordBinary(bytes: Buffer, start: number, end: number): Buffer {
  if (end - start < 4) throw noRecord()
  const count = bytes.readInt32BE(start)
  if (count < 0 || count * 8 > end - start) throw noRecord()
  const out = Buffer.allocUnsafe(4 + count * 8)
  out.writeInt32BE(count, 0)
  let at = start + 4
  for (let field = 0; field < count; field++) {
    if (at + 8 > end) throw noRecord()
    bytes.copy(out, 4 + field * 8, at, at + 4)
    out.writeInt32BE(-1, 8 + field * 8)
    const length = bytes.readInt32BE(at + 4)
    if (length < -1 || at + 8 + length > end) throw noRecord()
    at += 8 + Math.max(length, 0)
  }
  if (at !== end) throw noRecord()
  return out
}

function noRecord(): RangeError {
  return new RangeError('a value is no row')
}
