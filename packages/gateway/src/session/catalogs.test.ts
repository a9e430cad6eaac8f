import { expect, test } from 'vitest'
import type { Catalog } from '../access/catalog.ts'
import { catalogOf } from '../access/catalog.fixture.ts'
import { SHOP } from '../policy/policy-fixtures.ts'
import { Catalogs } from './catalogs.ts'

function catalog(version: string): Catalog {
  return catalogOf([], { version })
}

test('a catalog that was being read when its target was redefined is not taken for that of the new one', async () => {
  const answers = [Promise.withResolvers<Catalog>(), Promise.withResolvers<Catalog>()] as const
  const asked: string[] = []
  const catalogs = new Catalogs(
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
  const catalogs = new Catalogs(
    async () => catalog(`${++asked}`),
    () => undefined,
  )
  const [one, other] = await Promise.all([catalogs.of(SHOP), catalogs.of(SHOP)])
  expect([one.version, other.version, (await catalogs.of(SHOP)).version]).toEqual(['1', '1', '1'])
})

test('a catalog that was never read and cannot be is no catalog, and is asked for again', async () => {
  let asked = 0
  const catalogs = new Catalogs(
    async () => {
      if (++asked === 1) throw new Error('down')
      return catalog('up')
    },
    () => undefined,
  )
  await expect(catalogs.of(SHOP)).rejects.toThrow('down')
  expect((await catalogs.of(SHOP)).version).toBe('up')
})
