import type { Problem } from '@sallyport/api'
import type { FastifyInstance } from 'fastify'
import { SallyportError } from '../../access/errors.ts'
import type { ControlServices } from '../services.ts'

/** Probes ask every few seconds, and give up after about one. */
const CHECK_TIMEOUT_MS = 2000

/** `/healthz`: the process answers. `/readyz`: it can also do its work. `/metrics`: for Prometheus. No secrets in any. */
export function healthRoutes(app: FastifyInstance, services: ControlServices): void {
  app.get('/healthz', () => ({ status: 'ok' }))

  app.get('/readyz', async (request, reply) => {
    const names = ['store', 'journal', 'policy'] as const
    const results = await Promise.all(names.map((name) => outcome(name, services)))
    const checks = Object.fromEntries(results)
    const failed = results.filter(([, result]) => result !== 'ok').map(([name]) => name)
    if (failed.length === 0) return { status: 'ok', checks }
    const problem: Problem = {
      type: 'urn:sallyport:error:store-unavailable',
      title: 'Service Unavailable',
      status: 503,
      detail: `not ready: ${failed.join(', ')}`,
      code: failed.includes('journal') ? 'RECORDING_FAILED' : 'STORE_UNAVAILABLE',
      requestId: request.id,
      checks,
    }
    return reply.code(503).type('application/problem+json').send(problem)
  })

  app.get('/metrics', async (_, reply) => {
    const text = await services.metrics.text()
    return reply.type(services.metrics.contentType).send(text)
  })
}

async function outcome(
  name: 'store' | 'journal' | 'policy',
  { health, log }: Pick<ControlServices, 'health' | 'log'>,
): Promise<readonly [string, string]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, CHECK_TIMEOUT_MS, `no answer within ${CHECK_TIMEOUT_MS} ms`)
  })
  const asked = (async () => {
    await health[name]()
    return 'ok'
  })()
  try {
    return [name, await Promise.race([asked, late])]
  } catch (error) {
    log.warn({ err: error, check: name }, 'not ready')
    return [name, error instanceof SallyportError ? error.code : 'failed']
  } finally {
    clearTimeout(timer)
  }
}
