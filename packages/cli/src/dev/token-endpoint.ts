import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** Makes a token for a persona of the development identity provider. */
export type MintToken = (persona: string, options: { onBehalfOf?: string }) => Promise<string>

/** Where `sallyport dev token` asks the running `sallyport dev`. */
export interface TokenEndpoint {
  readonly url: string
  /** What it must show: only who can read `.sallyport/dev.json` is given tokens. */
  readonly key: string
  close(): Promise<void>
}

/** Listens on loopback; `GET /<persona>?for=<person>` with the key as bearer answers with the token as text. */
export async function openTokenEndpoint(mint: MintToken): Promise<TokenEndpoint> {
  const key = randomBytes(32).toString('base64url')
  const expected = Buffer.from(`Bearer ${key}`)
  const server = createServer((request, response) => {
    const shown = Buffer.from(request.headers.authorization ?? '')
    if (shown.length !== expected.length || !timingSafeEqual(shown, expected)) {
      response.writeHead(401).end('the key of .sallyport/dev.json is needed\n')
      return
    }
    void answer(request, response, mint)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the token endpoint has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    key,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, mint: MintToken): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const onBehalfOf = url.searchParams.get('for')
  try {
    const token = await mint(
      decodeURIComponent(url.pathname.slice(1)),
      onBehalfOf === null ? {} : { onBehalfOf },
    )
    response.writeHead(200, { 'content-type': 'text/plain' }).end(token)
  } catch (error) {
    response.writeHead(400, { 'content-type': 'text/plain' }).end(error instanceof Error ? error.message : '')
  }
}
