import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider } from 'oidc-provider'
import { chooserPage, page, PAGE_HEADERS } from './idp-pages.ts'
import { persona } from './idp-personas.ts'

/** The form has one field with a short name in it. */
const MAX_FORM_BYTES = 1024

/** Shows who one can be (GET) and signs in as whoever was chosen (POST). */
export async function answerInteraction(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const interaction = await provider.interactionDetails(request, response)
    if (request.method !== 'POST') {
      const client = interaction.params['client_id']
      const html = chooserPage(
        typeof client === 'string' ? client : 'somebody',
        `/interaction/${interaction.uid}`,
      )
      response.writeHead(200, PAGE_HEADERS).end(html)
      return
    }
    const chosen = persona((await form(request)).get('persona') ?? undefined, 'person')
    if (chosen === undefined) throw new Error('nobody was chosen')
    await provider.interactionFinished(request, response, { login: { accountId: chosen.name }, consent: {} })
  } catch {
    if (response.headersSent) response.destroy()
    else
      response
        .writeHead(400, PAGE_HEADERS)
        .end(page('That did not work', '<p>Begin again at your client.</p>'))
  }
}

async function form(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_FORM_BYTES) throw new Error('the form is too large')
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
}
