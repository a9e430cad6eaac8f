import { beforeEach, describe, expect, it } from 'vitest'
import type { NameChanges } from '../sql/search-path.ts'
import { SessionNames } from './session-names.ts'

const [IDLE, IN_TRANSACTION, FAILED] = [0x49, 0x54, 0x45]
const NOTHING: NameChanges = { paths: [], mayChangePath: false, mayRevert: false, temporary: [] }
const PUBLIC = ['public']
const A = ['a']
const B = ['b']

let names: SessionNames
beforeEach(() => {
  names = new SessionNames(PUBLIC)
})

const sets = (...paths: NameChanges['paths'][number][]) => names.sent({ ...NOTHING, paths })
const reverts = () => names.sent({ ...NOTHING, mayRevert: true })
const possible = () => names.current(PUBLIC).paths

describe('the search path of a session', () => {
  it('is the one that it began with', () => {
    expect(names.current(PUBLIC)).toMatchObject({ key: '', paths: [PUBLIC], fallbacks: [PUBLIC] })
    expect(names.shouldAsk).toBe(false)
  })

  it('may be either while a SET is on its way, and is what the target says afterwards', () => {
    sets(A)
    expect(possible()).toEqual([PUBLIC, A])
    names.ready(IDLE)
    expect(possible()).toEqual([PUBLIC, A])
    expect(names.shouldAsk).toBe(true)
    names.reported(A)
    expect(names.current(PUBLIC)).toMatchObject({ paths: [A], fallbacks: [A] })
    expect(names.shouldAsk).toBe(false)
  })

  it('is exact within a transaction too, with all that a rollback can bring back beside it', () => {
    names.ready(IN_TRANSACTION)
    sets(A)
    names.ready(IN_TRANSACTION)
    names.reported(A)
    expect(names.current(PUBLIC)).toMatchObject({ paths: [A], fallbacks: [PUBLIC, A] })
    sets(B)
    names.ready(IN_TRANSACTION)
    names.reported(B)
    expect(names.current(PUBLIC)).toMatchObject({ paths: [B], fallbacks: [PUBLIC, A, B] })
  })

  it('is open again after a transaction in which it was set', () => {
    names.ready(IN_TRANSACTION)
    sets(A)
    names.ready(IN_TRANSACTION)
    names.reported(A)
    reverts()
    names.ready(IDLE)
    expect(possible()).toEqual([PUBLIC, A])
    expect(names.shouldAsk).toBe(true)
    names.reported(PUBLIC)
    expect(names.current(PUBLIC).key).toBe('')
  })

  it('stays exact over a transaction in which it was not set', () => {
    names.ready(IN_TRANSACTION)
    reverts()
    names.ready(IDLE)
    expect(names.shouldAsk).toBe(false)
    expect(names.current(PUBLIC).key).toBe('')
  })

  it('is not asked for where it was set to what it is', () => {
    sets('session-start', ['public'])
    names.ready(IDLE)
    expect(names.shouldAsk).toBe(false)
  })

  it('is not asked for in a failed transaction, where nothing can be asked', () => {
    names.ready(IN_TRANSACTION)
    sets(A)
    names.ready(FAILED)
    expect(names.shouldAsk).toBe(false)
    expect(possible()).toEqual([PUBLIC, A])
    names.ready(IDLE)
    expect(names.shouldAsk).toBe(true)
  })

  it('is not asked for twice when there was no answer', () => {
    sets(A)
    names.ready(IDLE)
    names.askedInVain()
    expect(names.shouldAsk).toBe(false)
    expect(possible()).toEqual([PUBLIC, A])
    sets('session-start')
    names.ready(IDLE)
    expect(names.shouldAsk).toBe(true)
  })

  it('has to be asked for after code that could have set it', () => {
    names.sent({ ...NOTHING, mayChangePath: true })
    names.ready(IDLE)
    expect(names.shouldAsk).toBe(true)
    names.reported(B)
    expect(possible()).toEqual([B])
  })

  it('cannot be told any more when too many were set in one transaction', () => {
    names.ready(IN_TRANSACTION)
    expect(() => {
      for (let n = 0; n < 64; n++) sets([`s${n}`])
    }).toThrow('more than 64')
  })
})

describe('temporary relations', () => {
  it('are remembered to the end of the session', () => {
    names.sent({ ...NOTHING, temporary: ['t'] })
    names.ready(IDLE)
    expect(names.current(PUBLIC)).toMatchObject({ temporary: ['t'], paths: [PUBLIC] })
    expect(names.current(PUBLIC).key).not.toBe('')
    names.sent({ ...NOTHING, temporary: ['u'] })
    expect(names.current(PUBLIC).temporary).toEqual(['t', 'u'])
  })
})
