import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { recognise, recogniseEach, type ExternalRecogniser } from './external-recogniser.ts'

const started: Server[] = []
afterEach(() => {
  for (const server of started.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A server with the API of Presidio's analyzer that answers as it is told. */
async function analyzer(
  answer: (response: ServerResponse, request: { url: string; body: string }) => void,
): Promise<URL> {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => answer(response, { url: request.url ?? '', body }))
  })
  started.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

const asking = (url: URL, onFailure: ExternalRecogniser['onFailure'] = 'refuse'): ExternalRecogniser => ({
  url,
  language: 'en',
  leastScore: 0.5,
  timeoutMs: 300,
  onFailure,
})
const never = new AbortController().signal
const PERSON = { entity_type: 'PERSON', start: 2, end: 10, score: 0.85 }

test('its spans are in our words and our units', async () => {
  const requests: { url: string; body: string }[] = []
  const url = await analyzer((response, request) => {
    requests.push(request)
    response.end(
      JSON.stringify([
        PERSON,
        { entity_type: 'CRYPTO', start: 0, end: 1, score: 1 },
        { entity_type: 'AGE', start: 0, end: 1, score: 0.3 },
      ]),
    )
  })
  // The emoji is one code point and two units.
  const text = '🦊 Ana Lima is here'
  expect(await recognise(asking(url), text, never)).toEqual([
    { entity: 'person', rule: 'presidio PERSON', start: 3, end: 11, score: 0.85 },
    { entity: 'custom', rule: 'presidio CRYPTO', start: 0, end: 2, score: 1 },
  ])
  expect(requests).toEqual([
    { url: '/analyze', body: JSON.stringify({ text, language: 'en', score_threshold: 0.5 }) },
  ])
})

describe.each<[string, (response: ServerResponse) => void]>([
  ['answers an error', (response) => response.writeHead(500).end('[]')],
  ['never answers', () => {}],
  ['answers no JSON', (response) => response.end('<html>')],
  ['answers no list', (response) => response.end('{"spans":[]}')],
  [
    'answers a span outside of the text',
    (response) => response.end(JSON.stringify([{ ...PERSON, end: 99 }])),
  ],
  ['answers without an end', (response) => response.write('[')],
  ['answers too much', (response) => response.end(`[${' '.repeat(5_000_000)}]`)],
  ['sends elsewhere', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
])('one that %s', (_, answer) => {
  test('lets nothing through when it is relied on', async () => {
    const url = await analyzer(answer)
    await expect(recognise(asking(url), 'Hi Ana Lima', never)).rejects.toMatchObject({
      code: 'TARGET_UNREACHABLE',
    })
  })

  test('is said to be unavailable when it is not', async () => {
    const url = await analyzer(answer)
    expect(await recognise(asking(url, 'without'), 'Hi Ana Lima', never)).toBe('unavailable')
  })
})

test('a text that is too long to be sent counts as a failure', async () => {
  const url = await analyzer((response) => response.end('[]'))
  await expect(recognise(asking(url), 'x'.repeat(100_001), never)).rejects.toMatchObject({
    code: 'TARGET_UNREACHABLE',
  })
})

test('of many texts each gets its own spans, in as few requests as they fit into', async () => {
  const asked: string[] = []
  const url = await analyzer((response, { body }) => {
    const { text } = JSON.parse(body) as { text: string }
    asked.push(text)
    const found = [...text.matchAll(/Ana/g)].map(({ index }) => ({ ...PERSON, start: index, end: index + 3 }))
    response.end(JSON.stringify([...found, { ...PERSON, start: 0, end: text.length }]))
  })
  const long = 'x'.repeat(15_000)
  const spans = await recogniseEach(asking(url), ['Ana', 'nobody', 'I am Ana', long, long], never)
  expect(spans).toMatchObject([
    [{ start: 0, end: 3 }],
    [],
    [{ start: 5, end: 8 }],
    [],
    [{ entity: 'person', start: 0, end: 15_000 }],
  ])
  expect(asked).toEqual([`Ana\nnobody\nI am Ana\n${long}`, long])
})
