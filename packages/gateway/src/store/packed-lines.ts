import { promisify } from 'node:util'
import { constants, zstdCompressSync, zstdDecompress } from 'node:zlib'

const decompress = promisify(zstdDecompress)

/** Of one row: a stretch of the journal, or one line that is longer. More would be a damaged row, or a hostile one. */
const MAX_BYTES = 512 * 1024 * 1024

/** The fastest level: lines of one session are much alike, and get to a tenth at any. */
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/**
 * Journal lines as the store keeps them: joined by newlines and compressed with Zstandard (RFC 8878), because
 * sending and logging them plain costs the database several times that.
 * @returns bytes in memory of their own, which can be handed to another thread
 */
export function packLines(lines: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(zstdCompressSync(lines, OPTIONS))
}

/** The lines of one row. @throws Error when it is not what `packLines` made */
export async function unpackLines(packed: Uint8Array): Promise<readonly string[]> {
  const lines = await decompress(packed, { maxOutputLength: MAX_BYTES })
  return lines.toString().split('\n')
}
