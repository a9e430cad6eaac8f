import { describe, expect, test } from 'vitest'
import { EPOCH, ISSUER, person } from '../approval.fixture.ts'
import type { KnownPerson, PeopleStore } from '../ports.ts'
import { KnownPeople } from './known-people.ts'
import { SlackLinks, type SlackProfile } from './linked-person.ts'

const DAY = 24 * 60 * 60 * 1000
const verified = (email: string, is = 'true') => ({ attributes: { email, email_verified: is } })
const cy = person('cy', ['dba'], verified('cy@corp.test'))
const bo = person('bo', ['dba'])

/** What people have shown, by this order. */
function links(known: readonly KnownPerson[], profile: Partial<SlackProfile> = {}, now = EPOCH): SlackLinks {
  return new SlackLinks({
    users: [{ slack: 'U0BO', issuer: ISSUER, subject: 'bo' }],
    loginWithinMs: DAY,
    people: {
      saw: async () => undefined,
      bySubject: async (issuer, subject) =>
        known.find(({ principal }) => principal.issuer === issuer && principal.subject === subject),
      byEmail: async (email) =>
        known.filter(({ principal }) => principal.attributes['email']?.toLowerCase() === email.toLowerCase()),
    },
    profile: async () => ({ email: undefined, emailConfirmed: false, isMember: true, ...profile }),
    now: () => now,
  })
}
const seen = (principal: typeof bo, at = EPOCH): KnownPerson => ({ principal, seenAt: new Date(at) })
const address = { email: 'cy@corp.test', emailConfirmed: true }

test('the configuration links, and the groups are those of the last login', async () => {
  expect(await links([seen(bo)]).personBehind('U0BO')).toBe(bo)
})

test('an address that both sides have verified links', async () => {
  expect(await links([seen(cy)], address).personBehind('U0CY')).toBe(cy)
})

describe('nobody is', () => {
  test.each<[string, SlackLinks, RegExp]>([
    ['who is not linked', links([seen(bo)]), /not linked/],
    [
      'whose address Slack has not verified',
      links([seen(cy)], { ...address, emailConfirmed: false }),
      /not linked/,
    ],
    [
      'whose address the provider has not verified',
      links([seen(person('cy', ['dba'], verified('cy@corp.test', 'false')))], address),
      /not linked/,
    ],
    [
      'whose address the provider says nothing about',
      links([seen(person('cy', ['dba'], { attributes: { email: 'cy@corp.test' } }))], address),
      /not linked/,
    ],
    [
      'whose address two people have',
      links([seen(cy), seen({ ...cy, subject: 'cy2' })], address),
      /not linked/,
    ],
    ['who is a guest', links([seen(cy)], { ...address, isMember: false }), /only members/],
  ])('%s', async (_, made, why) => {
    expect(await made.personBehind('U0CY')).toMatch(why)
  })

  test('who is named and has never logged in', async () => {
    expect(await links([]).personBehind('U0BO')).toMatch(/sallyport whoami/)
  })

  test('whose last login is too long ago', async () => {
    expect(await links([seen(bo)], {}, EPOCH + DAY).personBehind('U0BO')).toBe(bo)
    expect(await links([seen(bo)], {}, EPOCH + DAY + 1).personBehind('U0BO')).toMatch(/too long ago/)
  })

  test('whose address in Slack is that of a named person, but who is somebody else', async () => {
    const boWithAddress = person('bo', ['dba'], verified('bo@corp.test'))
    const other = links([seen(boWithAddress)], { email: 'bo@corp.test', emailConfirmed: false })
    expect(await other.personBehind('U0OTHER')).toMatch(/not linked/)
  })
})

describe('who is remembered', () => {
  function memory() {
    const saw: string[] = []
    let now = EPOCH
    const store: Pick<PeopleStore, 'saw'> = {
      saw: async ({ id, groups }) => void saw.push(`${id} ${groups.join()}`),
    }
    const people = new KnownPeople({
      store: { ...store, bySubject: async () => undefined, byEmail: async () => [] },
      log: { warn: () => undefined, error: () => undefined },
      now: () => now,
    })
    return { saw, people, wait: (ms: number) => (now += ms) }
  }

  test('people with a token of their own, now and then', () => {
    const { saw, people, wait } = memory()
    for (let i = 0; i < 5; i++) people.see(bo)
    expect(saw).toEqual(['bo dba'])
    wait(5 * 60 * 1000)
    people.see(bo)
    expect(saw).toEqual(['bo dba', 'bo dba'])
  })

  test('at once when their groups have changed', () => {
    const { saw, people } = memory()
    people.see(bo)
    people.see({ ...bo, groups: [] })
    expect(saw).toEqual(['bo dba', 'bo '])
  })

  test("not agents, services, nor anybody in somebody else's name", () => {
    const { saw, people } = memory()
    people.see({ ...bo, kind: 'agent', actingFor: cy })
    people.see({ ...bo, kind: 'service' })
    people.see({ ...bo, actingFor: cy })
    expect(saw).toEqual([])
  })
})
