import { describe, expect, test } from 'vitest'
import { proposeClassification } from './propose-classification.ts'

const column = (name: string, type: string, samples?: readonly string[]) => {
  const [schema = '', table = '', column = ''] = name.split('.')
  return { schema, table, column, type, samples }
}
const propose = (...columns: ReturnType<typeof column>[]) => proposeClassification(columns)
const classOf = (name: string, type: string, samples?: readonly string[]) =>
  propose(column(name, type, samples)).fields[0]?.class
const many = (count: number, of: (n: number) => string) => Array.from({ length: count }, (_, n) => of(n))

describe('by its name', () => {
  test.each([
    ['public.customers.email', 'text', 'pii.email'],
    ['public.customers.emailAddress', 'character varying(255)', 'pii.email'],
    ['public.kunden.E-Mail-Adresse', 'text', 'pii.email'],
    ['crm.contacts.TELEFONNUMMER', 'text', 'pii.phone'],
    ['public.users.birth_date', 'date', 'pii.birthdate'],
    ['public.usuarios.fecha_nacimiento', 'date', 'pii.birthdate'],
    ['public.utilisateurs.prénom', 'text', 'pii.name'],
    ['public.mitarbeiter.nachname', 'text', 'pii.name'],
    ['public.customers.name', 'text', 'pii.name'],
    ['public.customers.straße', 'text', 'pii.address'],
    ['public.employees.salary', 'integer', 'hr.salary'],
    ['public.employees.gehalt', 'numeric(10,2)', 'hr.salary'],
    ['public.payments.card_number', 'text', 'pci.card'],
    ['public.payments.token', 'text', 'secret.token'],
    ['public.users.password_hash', 'text', 'secret.password'],
    ['public.apps.client_secret', 'text', 'secret.key'],
    ['public.persons.cpf', 'text', 'pii.national-id'],
    ['public.logins.ip_address', 'inet', 'pii.ip'],
    // Those that only sound like it.
    ['public.products.name', 'text', undefined],
    ['public.users.email_verified', 'boolean', undefined],
    ['public.customers.card_last4', 'text', undefined],
    ['public.users.phone_count', 'integer', undefined],
    ['public.orders.passenger', 'text', undefined],
    ['public.events.created_at', 'timestamptz', undefined],
  ])('%s %s is %s', (name, type, expected) => {
    expect(classOf(name, type)).toBe(expected)
  })
})

test('names that are more than a word are quoted, as resources have them', () => {
  const [field] = propose(column('public.Kunden "neu".E-Mail', 'text')).fields
  expect(field?.field).toBe('public."Kunden ""neu"""."E-Mail"')
})

describe('by its values', () => {
  test('four of five are enough, three are not', () => {
    const emails = (share: number) => many(50, (n) => (n < 50 * share ? `a${n}@example.com` : 'none'))
    expect(classOf('public.orders.note', 'text', emails(0.8))).toBe('pii.email')
    expect(classOf('public.orders.note', 'text', emails(0.6))).toBeUndefined()
  })

  test('too few are no proof', () => {
    expect(classOf('public.orders.x', 'text', ['a@example.com'])).toBeUndefined()
  })

  test('values that hold something among other words are a free text', () => {
    const texts = many(20, (n) => `please call a${n}@example.com back`)
    expect(propose(column('public.orders.note', 'text', texts))).toMatchObject({
      fields: [],
      freeTexts: [{ field: 'public.orders.note', because: '20 of 20 values hold something sensitive' }],
    })
  })

  test('they overrule a name that says something else', () => {
    const cards = many(20, () => '4111111111111111')
    expect(propose(column('public.users.phone', 'text', cards)).fields).toEqual([
      {
        field: 'public.users.phone',
        class: 'pci.card',
        because: '20 of 20 values, although its name says pii.phone',
        certainty: 'likely',
      },
    ])
  })

  test('numbers that pass a check by chance are not taken for cards', () => {
    const ids = many(200, (n) => String(1_000_000_000_000_000 + n * 7919))
    expect(classOf('public.events.reference', 'text', ids)).toBeUndefined()
  })

  test('numbers in a row count as what the name says that they are', () => {
    const field = propose(
      column(
        'public.persons.ssn',
        'text',
        many(20, (n) => String(536_221_100 + n)),
      ),
    ).fields[0]
    expect(field).toMatchObject({ class: 'pii.ssn', certainty: 'likely' })
    expect(
      classOf(
        'public.orders.number',
        'text',
        many(20, (n) => String(5_362_211 + n)),
      ),
    ).toBeUndefined()
  })
})

test('says when it is the name alone that speaks for it', () => {
  const [masked, unread] = propose(
    column(
      'public.customers.email',
      'text',
      many(20, () => '[redacted]'),
    ),
    column('public.customers.phone', 'text'),
  ).fields
  expect(masked).toMatchObject({ certainty: 'possible', because: 'its name; 0 of 20 values look like it' })
  expect(unread).toMatchObject({ certainty: 'possible', because: 'its name; its values could not be read' })
})

test('brings the default classes of what it found, and no others', () => {
  const { classes } = propose(
    column('public.customers.email', 'text'),
    column('public.employees.salary', 'integer'),
  )
  expect(classes.map(({ name }) => name)).toEqual(['pii.email', 'hr.salary'])
})

test('counts what somebody else recognised in the values', () => {
  const samples = many(10, (n) => `Person ${n}`)
  const recognised = samples.map((text) => [
    { entity: 'person', start: 0, end: text.length, score: 0.85 } as const,
  ])
  const people = { ...column('public.orders.reference', 'text', samples), recognised }
  expect(propose(people).fields).toMatchObject([{ class: 'pii.name', because: '10 of 10 values' }])
})
