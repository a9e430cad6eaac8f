import { expect, it } from 'vitest'
import { CancelKeys } from './cancel-keys.ts'

it('a key cancels its own session until it is released', async () => {
  const keys = new CancelKeys()
  const cancelled: string[] = []
  const issue = (name: string) =>
    keys.issue(() => {
      cancelled.push(name)
      return Promise.resolve()
    })
  const one = issue('one')
  const two = issue('two')
  await keys.cancel(two.key)
  await keys.cancel({ pid: one.key.pid, secret: two.key.secret })
  await keys.cancel({ pid: one.key.pid, secret: Buffer.alloc(0) })
  expect(cancelled).toEqual(['two'])
  one.release()
  await keys.cancel(one.key)
  expect(cancelled).toEqual(['two'])
})
