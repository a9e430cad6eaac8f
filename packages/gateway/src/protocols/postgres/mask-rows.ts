import { maskingFailed, MaskedCounts, type RowPlan } from './mask-plan.ts'
import type { Replacement } from './mask-value.ts'
import type { RewrittenChunk } from './rewritten-chunk.ts'

/**
 * Masks DataRow messages: Byte1('D') Int32(length) Int16(count), and for each value Int32(length), -1 for NULL, and its
 * bytes. One pass without an object for a row or, where a mask works on bytes, for a value.
 */
export class RowMasker {
  readonly counts: MaskedCounts
  readonly #plan: RowPlan
  /** By column: what takes the place of any value, its length in front of it. */
  readonly #constants: readonly (Buffer | undefined)[]

  constructor(plan: RowPlan) {
    this.#plan = plan
    this.counts = new MaskedCounts(plan)
    this.#constants = plan.map((column) =>
      column?.bytes?.form === 'constant' ? framed(column.bytes.value) : undefined,
    )
  }

  /**
   * Masks the row in `bytes[at, next)`, a part of the chunk.
   * @returns how much longer it has become
   * @throws SallyportError MASKING_FAILED: nothing of the chunk may go out then
   */
  mask(bytes: Buffer, at: number, next: number, chunk: RewrittenChunk): number {
    try {
      const head = chunk.offset(at)
      const longer = this.#values(bytes, at, next, chunk)
      if (longer !== 0) chunk.int32(head + 1, next - at - 1 + longer)
      return longer
    } catch (error) {
      throw maskingFailed(error)
    }
  }

  #values(bytes: Buffer, at: number, next: number, chunk: RewrittenChunk): number {
    const plan = this.#plan
    if (next - at < 7 || bytes.readUInt16BE(at + 5) !== plan.length) {
      throw new RangeError('a row has another number of values than was described')
    }
    let longer = 0
    let position = at + 7
    for (let column = 0; column < plan.length; column++) {
      if (position + 4 > next) throw new RangeError('a row ends within a value')
      const length = bytes.readInt32BE(position)
      const begin = position
      const start = position + 4
      position = start + Math.max(length, 0)
      if (length < -1 || position > next) throw new RangeError('a value is longer than its row')
      const planned = plan[column]
      if (planned === undefined || length < 0) continue
      const constant = this.#constants[column]
      if (constant !== undefined) {
        this.counts.add(column)
        chunk.replaceBy(begin, position, constant)
        longer += constant.length - 4 - length
        continue
      }
      if (planned.bytes?.form === 'stars' && planned.bytes.star(bytes, start, position)) {
        this.counts.add(column)
        continue
      }
      const replacement = planned.value(bytes, start, position)
      if (replacement === undefined) continue
      this.counts.add(column)
      longer += put(chunk, begin, position, replacement) - length
    }
    if (position !== next) throw new RangeError('a row is longer than its values')
    return longer
  }
}

/** @returns its bytes, without those of its length */
function put(
  chunk: RewrittenChunk,
  start: number,
  end: number,
  replacement: Exclude<Replacement, undefined>,
): number {
  if (replacement === null) {
    chunk.replaceBy(start, end, NULL)
    return 0
  }
  const isText = typeof replacement === 'string'
  const size = isText ? Buffer.byteLength(replacement) : replacement.length
  const at = chunk.replace(start, end, 4 + size)
  const { bytes } = chunk
  bytes.writeInt32BE(size, at)
  if (isText) bytes.write(replacement, at + 4, size, 'utf8')
  else replacement.copy(bytes, at + 4)
  return size
}

const NULL = Buffer.from([255, 255, 255, 255])

function framed(value: string | null): Buffer {
  if (value === null) return NULL
  const frame = Buffer.alloc(4 + Buffer.byteLength(value))
  frame.writeInt32BE(frame.length - 4)
  frame.write(value, 4)
  return frame
}
