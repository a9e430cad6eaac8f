import { expect, test } from 'vitest'
import { ana, omar } from '../services.fixture.ts'
import { InFlightCalls } from './in-flight-calls.ts'

const caller = { principal: ana, requestId: 'req_1', sourceIp: '127.0.0.1' }

test('a call is cancelled by its id', () => {
  const calls = new InFlightCalls()
  using call = calls.begin(caller, 1)
  using other = calls.begin(caller, 2)
  calls.cancel(caller, 1)
  expect([call.signal.aborted, other.signal.aborted]).toEqual([true, false])
})

test('nobody cancels the call of another', () => {
  const calls = new InFlightCalls()
  using call = calls.begin(caller, 1)
  calls.cancel({ ...caller, principal: omar }, 1)
  calls.cancel({ ...caller, clientSession: 'another' }, 1)
  calls.cancel(caller, '1')
  expect(call.signal.aborted).toBe(false)
})

test('of two calls with one id none is cancelled', () => {
  const calls = new InFlightCalls()
  using one = calls.begin(caller, 1)
  {
    using two = calls.begin(caller, 1)
    calls.cancel(caller, 1)
    expect([one.signal.aborted, two.signal.aborted]).toEqual([false, false])
  }
  calls.cancel(caller, 1)
  expect(one.signal.aborted).toBe(true)
})
