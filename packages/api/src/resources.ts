import { z } from 'zod'

export const ResourceFile = z.strictObject({
  /** Relative to the resources directory, with forward slashes: no absolute paths, no `..`. */
  path: z
    .string()
    .max(512)
    .regex(
      /^(?!\.\.?\/)[\w. -]+(?:\/(?!\.\.?\/)[\w. -]+)*\.(?:yaml|yml|cedar)$/,
      'is not the path of a .yaml or .cedar file',
    ),
  text: z.string().max(1024 * 1024),
})
export type ResourceFile = z.infer<typeof ResourceFile>

/** `GET /api/v1/resources`. Version 0: nothing was applied yet. */
export const ResourceSet = z.object({
  version: z.number().int().nonnegative(),
  files: z.array(ResourceFile),
})
export type ResourceSet = z.infer<typeof ResourceSet>

/** `PUT /api/v1/resources`: replaces the whole set, if `expected` is still its version. */
export const ApplyRequest = z.strictObject({
  expected: z.number().int().nonnegative(),
  files: z.array(ResourceFile).max(1000),
})
export type ApplyRequest = z.infer<typeof ApplyRequest>

export const Applied = z.object({ version: z.number().int().positive() })
export type Applied = z.infer<typeof Applied>
