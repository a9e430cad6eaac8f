import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Catalog } from '../access/catalog.ts'
import { catalogOf } from '../access/catalog.fixture.ts'
import { SHOP } from '../policy/policy-fixtures.ts'
import { Catalogs } from './catalogs.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function catalog(version: string): Catalog {
  return catalogOf([], { version })
}

test('a catalog that was being read when its target was redefined is not taken for that of the new one', async () => {
  const answers = [Promise.withResolvers<Catalog>(), Promise.withResolvers<Catalog>()] as const
  const asked: string[] = []
  using catalogs = new Catalogs(
    async ({ database }) => await (answers[asked.push(database) - 1] ?? answers[1]).promise,
    () => undefined,
  )
  const before = catalogs.of(SHOP)
  catalogs.forget()
  const redefined = { ...SHOP, database: 'another' }
  const after = catalogs.of(redefined)
  answers[0].resolve(catalog('of shop'))
  await before
  expect(catalogs.current(redefined)).toBeUndefined()
  answers[1].resolve(catalog('of another'))
  expect(await after).toEqual(catalog('of another'))
  expect(catalogs.current(redefined)?.catalog).toEqual(catalog('of another'))
  expect(asked).toEqual(['shop', 'another'])
})

test('those who ask at once share one reading, and the next ones what it read', async () => {
  let asked = 0
  using catalogs = new Catalogs(
    async () => catalog(`${++asked}`),
    () => undefined,
  )
  const [one, other] = await Promise.all([catalogs.of(SHOP), catalogs.of(SHOP)])
  expect([one.version, other.version, (await catalogs.of(SHOP)).version]).toEqual(['1', '1', '1'])
})

test('a catalog that was never read and cannot be is no catalog, and is asked for again', async () => {
  let asked = 0
  using catalogs = new Catalogs(
    async () => {
      if (++asked === 1) throw new Error('down')
      return catalog('up')
    },
    () => undefined,
  )
  await expect(catalogs.of(SHOP)).rejects.toThrow('down')
  expect((await catalogs.of(SHOP)).version).toBe('up')
})

test('what others change is seen by itself, and who has to know is told once', async () => {
  let version = '1'
  let asked = 0
  const changed: string[] = []
  using catalogs = new Catalogs(
    async () => {
      asked++
      return catalog(version)
    },
    (target) => void changed.push(target),
  )
  await catalogs.of(SHOP)
  await vi.advanceTimersByTimeAsync(60_000)
  expect([changed, asked]).toEqual([[], 7])
  version = '2'
  await vi.advanceTimersByTimeAsync(10_000)
  expect([changed, catalogs.current(SHOP)?.catalog.version]).toEqual([['shop'], '2'])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(changed).toEqual(['shop'])
})

test('a target that nobody uses any more is left alone', async () => {
  let asked = 0
  using catalogs = new Catalogs(
    async () => catalog(String(++asked)),
    () => undefined,
  )
  await catalogs.of(SHOP)
  await vi.advanceTimersByTimeAsync(2 * 3_600_000)
  const before = asked
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(asked).toBe(before)
})

test('a target that is what it was keeps its catalog when others are redefined', async () => {
  using catalogs = new Catalogs(
    async ({ name }) => catalog(name),
    () => undefined,
  )
  const other = { ...SHOP, name: 'other' }
  await Promise.all([catalogs.of(SHOP), catalogs.of(other)])
  catalogs.forget(({ name }) => name === 'shop')
  expect([catalogs.current(SHOP)?.catalog.version, catalogs.current(other)]).toEqual(['shop', undefined])
})

test('a change that was waited for on a target that is another by now is looked for on that one', async () => {
  const asked: string[] = []
  using catalogs = new Catalogs(
    async ({ database }) => {
      asked.push(database)
      return catalog(database)
    },
    () => undefined,
  )
  await catalogs.of(SHOP)
  catalogs.mayChange(SHOP)
  catalogs.forget()
  const redefined = { ...SHOP, database: 'another' }
  await catalogs.of(redefined)
  await vi.advanceTimersByTimeAsync(6000)
  expect(new Set(asked.slice(1))).toEqual(new Set(['another']))
  expect(catalogs.current(redefined)?.catalog.version).toBe('another')
})
