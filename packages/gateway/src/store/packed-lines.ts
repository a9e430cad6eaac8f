import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Of one row: a chunk of the journal, or one line that is longer. More would be a damaged row, or a hostile one. */
const MAX_BYTES = 512 * 1024 * 1024

/** The fastest level: lines of one session are much alike, and get to a tenth at any. */
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/**
 * Journal lines as the store keeps them: joined by newlines and compressed with Zstandard (RFC 8878), here and off the event
 * loop, because sending and logging them plain costs the database several times that.
 */
export async function packLines(lines: Buffer): Promise<Buffer> {
  return await compress(lines, OPTIONS)
}

/** The lines of one row. @throws Error when it is not what `packLines` made */
export async function unpackLines(packed: Buffer): Promise<readonly string[]> {
  const lines = await decompress(packed, { maxOutputLength: MAX_BYTES })
  return lines.toString().split('\n')
}
