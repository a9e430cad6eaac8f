import { z } from 'zod'

/** The schema below `optional`, `default` and `prefault`. */
export function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  let here = schema
  while (here instanceof z.ZodOptional || here instanceof z.ZodDefault || here instanceof z.ZodPrefault) {
    here = here.unwrap()
  }
  return here
}

/** The keys, with their schemas, of the object at a path; none where there is no object. */
export function shapeAt(
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
): Readonly<Record<string, z.core.$ZodType>> {
  const here = unwrapped(schema)
  const [step, ...rest] = path
  if (here instanceof z.ZodArray && step !== undefined) return shapeAt(here.element, rest)
  if (!(here instanceof z.ZodObject)) return {}
  const shape: Readonly<Record<string, z.core.$ZodType>> = here.shape
  if (step === undefined) return shape
  const next = shape[String(step)]
  return next === undefined ? {} : shapeAt(next, rest)
}
