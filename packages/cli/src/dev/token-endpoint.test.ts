import { expect, test } from 'vitest'
import { openTokenEndpoint } from './token-endpoint.ts'

test('only who knows the key is given a token, and is told what is wrong', async () => {
  const endpoint = await openTokenEndpoint((persona, { onBehalfOf }) =>
    persona === 'nobody'
      ? Promise.reject(new Error('there is no "nobody"'))
      : Promise.resolve(`${persona} for ${onBehalfOf ?? 'self'}`),
  )
  try {
    const ask = async (path: string, key: string) => {
      const response = await fetch(endpoint.url + path, { headers: { authorization: `Bearer ${key}` } })
      return [response.status, await response.text()]
    }
    expect(await ask('/ana', endpoint.key)).toEqual([200, 'ana for self'])
    expect(await ask('/insight-agent?for=ana', endpoint.key)).toEqual([200, 'insight-agent for ana'])
    expect(await ask('/nobody', endpoint.key)).toEqual([400, 'there is no "nobody"'])
    expect((await ask('/ana', 'wrong'))[0]).toBe(401)
  } finally {
    await endpoint.close()
  }
})
