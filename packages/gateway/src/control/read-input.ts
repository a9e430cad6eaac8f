import type { z } from 'zod'
import { RequestInvalid } from './problem.ts'

/**
 * The request's body, query or parameters as their schema has them.
 * @throws RequestInvalid (REQUEST_INVALID, 400) with everything that is wrong
 */
export function readInput<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const errors = read.error.issues.map(({ path, message }) => ({
    pointer: path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    message,
  }))
  const first = errors[0]
  const where = first === undefined || first.pointer === '' ? '' : `${first.pointer.slice(1)}: `
  throw new RequestInvalid(`the request is not valid: ${where}${first?.message ?? ''}`, { errors })
}
