import { type Applied, ApplyRequest, type ResourceSet } from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { authorizeAdmin } from '../authorize.ts'
import { withCaller } from '../caller.ts'
import { readInput } from '../read-input.ts'
import type { ControlServices } from '../services.ts'

/** A thousand policies are about a megabyte. */
const MAX_RESOURCES_BYTES = 8 * 1024 * 1024

export function resourceRoutes(app: FastifyInstance, services: ControlServices): void {
  const { resources, audit } = services

  app.get(
    '/api/v1/resources',
    withCaller(services, async (caller): Promise<ResourceSet> => {
      // Policies tell which doors are open to whom: they are for those who keep them.
      authorizeAdmin(services, caller, 'applyResources')
      const current = await resources.current()
      return { version: current?.version ?? 0, files: (current?.files ?? []).map((file) => ({ ...file })) }
    }),
  )

  app.put('/api/v1/resources', {
    bodyLimit: MAX_RESOURCES_BYTES,
    ...withCaller(services, async (caller, request): Promise<Applied> => {
      authorizeAdmin(services, caller, 'applyResources')
      const { expected, files } = readInput(ApplyRequest, request.body)
      const { version } = await resources.apply(files, expected, caller.principal.id)
      audit({
        type: 'resources.apply',
        principal: caller.principal.id,
        detail: { version, files: files.map(({ path }) => path), requestId: caller.requestId },
      })
      return { version }
    }),
  })
}
