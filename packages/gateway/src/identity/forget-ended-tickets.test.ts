import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { forgetEndedTickets } from './forget-ended-tickets.ts'

beforeEach(() => void vi.useFakeTimers({ now: Date.parse('2026-01-02T00:00:00Z') }))
afterEach(() => void vi.useRealTimers())

test('tickets are removed a day after their end, again and again, also after a failure', async () => {
  const asked: string[] = []
  const warned: string[] = []
  const store = {
    prune: async (before: Date) => {
      asked.push(before.toISOString())
      throw new Error('the store is away')
    },
  }
  {
    using _ = forgetEndedTickets(store, { warn: (_, message) => void warned.push(message) })
    await vi.advanceTimersByTimeAsync(10 * 60_000)
  }
  await vi.advanceTimersByTimeAsync(60 * 60_000)
  expect(asked).toEqual(['2026-01-01T00:00:00.000Z', '2026-01-01T00:10:00.000Z'])
  expect(warned).toHaveLength(2)
})
