import type { Mask, ResultMasks } from '../../access/masking.ts'

/** Puts one text in place of every value, and NULL in place of what is of no known type. */
export function constantMask(text: string | null, dataClass = 'pii.test'): Mask {
  return { dataClass, method: 'redact', apply: (_, kind) => (kind === 'other' ? null : text) }
}

/** As long as the value. */
export const STARS: Mask = {
  dataClass: 'pii.test',
  method: 'partial',
  apply: (value) => '*'.repeat(value.length),
}

/** The same, without a text for each value. */
export const BYTE_STARS: Mask = {
  ...STARS,
  onBytes: () => ({
    form: 'stars',
    star(bytes, start, end) {
      if (bytes.subarray(start, end).some((byte) => byte >= 0x80)) return false
      bytes.fill(0x2a, start, end)
      return true
    },
  }),
}

/** Does not look at the value. */
export function byteConstantMask(text: string | null): Mask {
  return {
    ...constantMask(text),
    onBytes: (kind) => (kind === 'other' ? undefined : { form: 'constant', value: text }),
  }
}

/** `T:` in front of the value, and turns that back. */
export const TOKEN: Mask = {
  dataClass: 'pii.token',
  method: 'token',
  apply: (value) => `T:${value}`,
  restore: (token) => (token.startsWith('T:') ? token.slice(2) : undefined),
}

export function masksOf(
  columns: readonly (Mask | undefined)[],
  others: Partial<Omit<ResultMasks, 'columns'>> = {},
): ResultMasks {
  return { columns, beyond: undefined, hidesTexts: true, detector: undefined, ...others }
}
