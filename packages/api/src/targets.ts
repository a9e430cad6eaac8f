import { z } from 'zod'

export const TargetSummary = z.object({
  name: z.string(),
  protocol: z.string(),
  database: z.string(),
  tags: z.record(z.string(), z.string()),
})
export type TargetSummary = z.infer<typeof TargetSummary>

/** `GET /api/v1/targets`: those that the caller may connect to now. */
export const TargetList = z.object({ targets: z.array(TargetSummary) })
export type TargetList = z.infer<typeof TargetList>
