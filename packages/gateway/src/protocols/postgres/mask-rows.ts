import type { FrameWriter } from './frame-writer.ts'
import { MaskedCounts, maskingFailed, type RowPlan } from './mask-plan.ts'
import type { Replacement } from './mask-value.ts'
import { BACKEND } from './messages.ts'

/**
 * Masks DataRow messages: Byte1('D') Int32(length) Int16(count), and for each value Int32(length), -1 for NULL, and its
 * bytes. Scratch space is reused from row to row: a row costs no object.
 */
export class RowMasker {
  readonly counts: MaskedCounts
  readonly #plan: RowPlan
  readonly #replacements: Replacement[]
  /** Where the values of the current row begin, and how long they and what replaces them are: -1 for NULL. */
  readonly #starts: Float64Array
  readonly #lengths: Float64Array
  readonly #sizes: Float64Array

  constructor(plan: RowPlan) {
    this.#plan = plan
    this.counts = new MaskedCounts(plan)
    this.#replacements = plan.map(() => undefined)
    this.#starts = new Float64Array(plan.length)
    this.#lengths = new Float64Array(plan.length)
    this.#sizes = new Float64Array(plan.length)
  }

  /**
   * Masks the row in `bytes[at, next)` in place, where what replaces its values is as long as they are.
   * @returns false when it is not: the row is then in `out`, whole
   * @throws SallyportError MASKING_FAILED
   */
  mask(bytes: Buffer, at: number, next: number, out: () => FrameWriter): boolean {
    try {
      if (this.#replace(bytes, at, next)) {
        this.#writeInPlace(bytes)
        return true
      }
      this.#rebuild(bytes, out())
      return false
    } catch (error) {
      throw maskingFailed(error)
    }
  }

  /** Finds what replaces each value. @returns whether everything keeps its length */
  #replace(bytes: Buffer, at: number, next: number): boolean {
    const plan = this.#plan
    if (next - at < 7 || bytes.readUInt16BE(at + 5) !== plan.length) {
      throw new RangeError('a row has another number of values than was described')
    }
    let keepsLength = true
    let position = at + 7
    for (let column = 0; column < plan.length; column++) {
      if (position + 4 > next) throw new RangeError('a row ends within a value')
      const length = bytes.readInt32BE(position)
      const start = position + 4
      position = start + Math.max(length, 0)
      if (length < -1 || position > next) throw new RangeError('a value is longer than its row')
      this.#starts[column] = start
      this.#lengths[column] = length
      const planned = plan[column]
      if (planned === undefined || length < 0) {
        this.#replacements[column] = undefined
        continue
      }
      const replacement = planned.value(bytes, start, position)
      this.#replacements[column] = replacement
      if (replacement === undefined) continue
      this.counts.add(column)
      const size = sizeOf(replacement)
      this.#sizes[column] = size
      if (size !== length) keepsLength = false
    }
    if (position !== next) throw new RangeError('a row is longer than its values')
    return keepsLength
  }

  #writeInPlace(bytes: Buffer): void {
    for (let column = 0; column < this.#plan.length; column++) {
      const replacement = this.#replacements[column]
      const start = this.#starts[column] ?? 0
      if (typeof replacement === 'string') bytes.write(replacement, start, this.#sizes[column] ?? 0, 'utf8')
      else if (replacement instanceof Buffer) replacement.copy(bytes, start)
    }
  }

  #rebuild(bytes: Buffer, out: FrameWriter): void {
    const { length } = this.#plan
    out.begin(BACKEND.dataRow)
    // From the head of the row, or of the last value that was written anew, up to the next such value, all is copied.
    let copied = (this.#starts[0] ?? 0) - 6
    for (let column = 0; column < length; column++) {
      const replacement = this.#replacements[column]
      if (replacement === undefined) continue
      const start = this.#starts[column] ?? 0
      const size = this.#sizes[column] ?? 0
      out.append(bytes, copied, start - 4)
      out.int32(size)
      if (typeof replacement === 'string') out.text(replacement, size)
      else if (replacement !== null) out.append(replacement, 0, size)
      copied = start + (this.#lengths[column] ?? 0)
    }
    out.append(bytes, copied, (this.#starts[length - 1] ?? 0) + Math.max(this.#lengths[length - 1] ?? 0, 0))
    out.end()
  }
}

function sizeOf(replacement: string | Buffer | null): number {
  if (replacement === null) return -1
  return typeof replacement === 'string' ? Buffer.byteLength(replacement) : replacement.length
}
