/** A discovery document is about 5 KB, a large key set with certificates about 50 KB. */
const MAX_BYTES = 256 * 1024
/** Somebody is waiting to be let in; a provider that takes longer counts as down. */
const TIMEOUT_MS = 5_000

/**
 * GETs a JSON object from an identity provider, bounded in size and time. Redirects are refused: whoever can make the
 * provider redirect would otherwise choose the keys.
 * @throws Error with what went wrong; the caller decides what it means
 */
export async function fetchJson(url: URL, fetcher: typeof fetch): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetcher(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`${url.href} answered ${response.status}`)
  }
  const value: unknown = JSON.parse(await boundedText(response, url))
  if (!isObject(value)) throw new Error(`${url.href} did not answer with a JSON object`)
  return value
}

async function boundedText(response: Response, url: URL): Promise<string> {
  if (response.body === null) return ''
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop by the exception cancels the stream, and so the connection.
  for await (const chunk of response.body) {
    length += chunk.length
    if (length > MAX_BYTES) throw new Error(`${url.href} answered with more than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
