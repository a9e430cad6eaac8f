import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { AddressClosed, type AddressGuard } from './address-guard.ts'

/** Standard Webhooks asks receivers to answer within 15 to 30 seconds. */
const TIMEOUT_MS = 15_000

/**
 * One POST, on a connection of its own. Redirects are answers like any other: following one would lead wherever the
 * receiver likes. The answer's body is not read.
 * @returns its status
 * @throws Error when there is no answer
 */
export async function post(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
  guard: AddressGuard,
): Promise<number> {
  // A name in the URL goes through the guard's lookup; an address never does.
  const host = url.hostname.replaceAll(/[[\]]/g, '')
  if (isIP(host) !== 0 && !guard.permits(host)) throw new AddressClosed(url.host, host)
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const sent = request(
    url,
    {
      method: 'POST',
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      lookup: guard.lookup,
      agent: false,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    },
    (response) => {
      resolve(response.statusCode ?? 0)
      response.destroy()
    },
  )
  sent.on('error', reject)
  sent.end(body)
  return await promise
}
