import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { untilStopped } from './until-stopped.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('a signal that comes twice at once asks once, and one that comes later is left to the system', async () => {
  const process = new EventEmitter()
  const stopped = untilStopped({
    onSignal: (signal, handler) => {
      process.on(signal, handler)
      return () => process.off(signal, handler)
    },
  })
  process.emit('SIGTERM')
  expect(await stopped).toBe('SIGTERM')
  expect(process.emit('SIGTERM')).toBe(true)
  expect(process.emit('SIGINT')).toBe(true)
  vi.advanceTimersByTime(1000)
  expect(process.emit('SIGTERM')).toBe(false)
  expect(process.emit('SIGINT')).toBe(false)
})
