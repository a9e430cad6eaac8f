import { SallyportError } from '../../access/errors.ts'

/** A row that is to be masked has to be in memory whole, for its length comes first; each session may have one. */
export const MAX_MASKED_ROW = 16 * 1024 * 1024

export function rowTooLong(): SallyportError {
  return new SallyportError(
    'MASKING_FAILED',
    `a row with masked values is longer than the ${MAX_MASKED_ROW / 1024 / 1024} MiB that can be masked`,
    { hint: 'select fewer columns, or parts of the long ones' },
  )
}
