import { createHash } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { holdShop } from './hold-shop.ts'
import { ibanRemainder, luhnDigit } from './identifiers.ts'
import { shopRows } from './rows.ts'
import { seedShop } from './seed.ts'
import { startEmbedded } from '../../../../gateway/src/store/embedded-postgres.ts'

let dir: string
let server: Awaited<ReturnType<typeof startEmbedded>>
let first: Awaited<ReturnType<typeof seedShop>>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sallyport-shop-'))
  // As root the server runs as another account, and keeps its data elsewhere when that cannot get through.
  await chmod(dir, 0o711)
  server = await startEmbedded({ dir, log: { info: () => {}, warn: () => {} } })
  first = await seedShop(server.url.reveal())
})

afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function ask(user: string, password: string, text: string): Promise<unknown[]> {
  const client = new Client({ host: server.host, port: server.port, database: 'shop', user, password })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const asOwner = (text: string) => ask(server.user, server.password.reveal(), text)

test('the rows are the same on every machine', () => {
  const digest = createHash('sha256').update(JSON.stringify(shopRows())).digest('hex')
  expect(digest).toBe('57941bda89f397b538aed55d7b15bec838af47d0d4356bafceb668ea8f4c0c39')
})

test('cards and bank accounts pass their checksums', () => {
  const column = (table: string, name: string) =>
    shopRows()
      .find((rows) => rows.table === table)
      ?.columns.find((one) => one.name === name)?.values ?? []
  for (const card of column('payments', 'card_number').slice(0, 200).map(String)) {
    expect(luhnDigit(card.slice(0, -1))).toBe(Number(card.at(-1)))
  }
  for (const account of column('customers', 'iban').slice(0, 200).map(String)) {
    expect(ibanRemainder(`${account.slice(4)}1314${account.slice(2, 4)}`)).toBe(1)
  }
})

test('only one process at a time runs the shop of a folder', async () => {
  const hold = await holdShop(server.url.reveal(), dir)
  await expect(holdShop(server.url.reveal(), dir)).rejects.toMatchObject({ code: 'DEV_RUNNING', exitCode: 9 })
  await hold[Symbol.asyncDispose]()
  await using again = await holdShop(server.url.reveal(), dir)
  expect(again).toBeDefined()
})

test('there are customers, orders, payments and employees', async () => {
  const [counts] = await asOwner(`SELECT
    (SELECT count(*)::int FROM customers) AS customers, (SELECT count(*)::int FROM orders) AS orders,
    (SELECT count(*)::int FROM payments) > 25000 AS payments, (SELECT count(*)::int FROM employees) AS employees,
    (SELECT count(*)::int FROM sales_by_country) AS countries`)
  expect(counts).toEqual({ customers: 12_000, orders: 30_000, payments: true, employees: 60, countries: 11 })
})

test('new orders get numbers after the made-up ones', async () => {
  const [order] = await asOwner(`INSERT INTO orders (customer_id, status) VALUES (1, 'new') RETURNING id`)
  expect(order).toEqual({ id: 30_001 })
})

test('the issuer account can make a role that reads and remove it again, and is no superuser', async () => {
  const issuer = (text: string) => ask('sallyport_issuer', first.issuerPassword, text)
  await issuer(
    `CREATE ROLE temporary; GRANT USAGE ON SCHEMA public TO temporary; GRANT SELECT ON customers TO temporary`,
  )
  await issuer(
    `REVOKE ALL ON customers FROM temporary; REVOKE ALL ON SCHEMA public FROM temporary; DROP ROLE temporary`,
  )
  expect(await issuer('SELECT rolsuper FROM pg_roles WHERE rolname = current_user')).toEqual([
    { rolsuper: false },
  ])
})

test('a second seeding keeps the data and gives the issuer account a new password', async () => {
  const again = await seedShop(server.url.reveal())
  expect(again.made).toBe(false)
  expect(await ask('sallyport_issuer', again.issuerPassword, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await expect(ask('sallyport_issuer', first.issuerPassword, 'SELECT 1')).rejects.toThrow(/password/)
})
