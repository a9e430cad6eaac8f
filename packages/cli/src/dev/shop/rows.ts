import { iban, phone, ssn, testCard } from './identifiers.ts'
import { Random } from './random.ts'
import {
  FIRST_NAMES,
  LAST_NAMES,
  MAIL_HOSTS,
  NOTES,
  PLACES,
  PRODUCT_KINDS,
  PRODUCT_STYLES,
  STREETS,
  TITLES,
} from './words.ts'

const COUNTS = { customers: 12_000, products: 180, orders: 30_000, employees: 60 } as const

type Value = string | number | null

/** A table's rows by column, which is how they are sent: one array per column. */
export interface TableRows {
  readonly table: string
  readonly columns: readonly { readonly name: string; readonly type: string; readonly values: Value[] }[]
}

// A fixed day, so that the shop is the same whenever it is made.
const TODAY = Date.UTC(2026, 0, 31)
const DAY = 86_400_000

/** All rows of the shop, in an order that satisfies its foreign keys. The same on every call. */
export function shopRows(): TableRows[] {
  const random = new Random(20_260_131)
  const customers = table('customers', {
    id: 'int',
    name: 'text',
    email: 'text',
    phone: 'text',
    ssn: 'text',
    birth_date: 'date',
    address: 'text',
    city: 'text',
    country: 'text',
    card_last4: 'text',
    iban: 'text',
    created_at: 'timestamptz',
  })
  for (let id = 1; id <= COUNTS.customers; id++) {
    const { name, email } = person(random, String(id))
    const [city = '', country = ''] = random.pick(PLACES).split('\t')
    const street = `${random.between(1, 240)} ${random.pick(STREETS)}`
    customers.add(
      id,
      name,
      email,
      phone(random),
      ssn(random),
      day(random.between(20 * 365, 80 * 365)),
      street,
      city,
      country,
      testCard(random).slice(-4),
      iban(random),
      moment(random.between(30, 1500), random),
    )
  }

  const products = table('products', { id: 'int', sku: 'text', name: 'text', price: 'numeric', stock: 'int' })
  const prices: string[] = []
  for (let id = 1; id <= COUNTS.products; id++) {
    const kind = PRODUCT_KINDS[(id - 1) % PRODUCT_KINDS.length] ?? ''
    const style = PRODUCT_STYLES[Math.floor((id - 1) / PRODUCT_KINDS.length)] ?? ''
    const price = (random.between(450, 39_900) / 100).toFixed(2)
    prices.push(price)
    const sku = `${style.slice(0, 3)}-${kind.slice(0, 3)}-${1000 + id}`.toUpperCase()
    products.add(id, sku, `${style} ${kind}`, price, random.below(500))
  }

  const orders = table('orders', {
    id: 'int',
    customer_id: 'int',
    status: 'text',
    note: 'text',
    ordered_at: 'timestamptz',
  })
  const items = table('order_items', {
    order_id: 'int',
    line: 'int',
    product_id: 'int',
    quantity: 'int',
    price: 'numeric',
  })
  const payments = table('payments', {
    id: 'int',
    order_id: 'int',
    amount: 'numeric',
    card_number: 'text',
    token: 'text',
    paid_at: 'timestamptz',
  })
  for (let id = 1; id <= COUNTS.orders; id++) {
    const age = random.between(0, 730)
    const status =
      age < 2
        ? 'new'
        : random.pick(['paid', 'shipped', 'shipped', 'shipped', 'shipped', 'returned', 'refunded'])
    const orderedAt = moment(age, random)
    orders.add(
      id,
      random.between(1, COUNTS.customers),
      status,
      random.below(12) ? null : random.pick(NOTES),
      orderedAt,
    )
    let cents = 0
    for (let line = 1; line <= random.between(1, 3); line++) {
      const product = random.between(1, COUNTS.products)
      const quantity = random.between(1, 4)
      const price = prices[product - 1] ?? '1.00'
      cents += Math.round(Number(price) * 100) * quantity
      items.add(id, line, product, quantity, price)
    }
    if (status === 'new') continue
    const token = `tok_test_${random.digits(18)}`
    payments.add(payments.size() + 1, id, (cents / 100).toFixed(2), testCard(random), token, orderedAt)
  }

  const employees = table('employees', {
    id: 'int',
    name: 'text',
    email: 'text',
    title: 'text',
    salary: 'int',
    ssn: 'text',
    manager_id: 'int',
    hired_on: 'date',
  })
  for (let id = 1; id <= COUNTS.employees; id++) {
    const { name } = person(random, '')
    const email = `${name.toLowerCase().replace(' ', '.')}.${id}@shop.example`
    const title = id === 1 ? 'Managing director' : random.pick(TITLES)
    const salary = id === 1 ? 184_000 : random.between(340, 1250) * 100
    employees.add(
      id,
      name,
      email,
      title,
      salary,
      ssn(random),
      id === 1 ? null : Math.ceil(id / 6),
      day(random.between(40, 4000)),
    )
  }
  return [customers, products, orders, items, payments, employees]
}

/** @param tag makes the address unique */
function person(random: Random, tag: string): { name: string; email: string } {
  const first = random.pick(FIRST_NAMES)
  const last = random.pick(LAST_NAMES)
  return {
    name: `${first} ${last}`,
    email: `${first}.${last}${tag}@${random.pick(MAIL_HOSTS)}`.toLowerCase(),
  }
}

function day(ago: number): string {
  return new Date(TODAY - ago * DAY).toISOString().slice(0, 10)
}

function moment(ago: number, random: Random): string {
  return new Date(TODAY - ago * DAY - random.below(DAY / 1000) * 1000).toISOString()
}

function table(
  name: string,
  types: Record<string, string>,
): TableRows & { add(...row: Value[]): void; size(): number } {
  const columns = Object.entries(types).map(([column, type]) => ({
    name: column,
    type,
    values: [] as Value[],
  }))
  return {
    table: name,
    columns,
    add: (...row) => columns.forEach((column, i) => void column.values.push(row[i] ?? null)),
    size: () => columns[0]?.values.length ?? 0,
  }
}
