import { expect, test } from 'vitest'
import { READ, WRITE } from './leases.fixture.ts'
import { LeasePrivileges } from './lease-privileges.ts'

test('that the target may have lost grants is not forgotten for a change that is on its way', async () => {
  const steps: (() => void)[] = []
  let assigned = 0
  const privileges = new LeasePrivileges(READ, () => {
    assigned++
    return new Promise((resolve) => steps.push(resolve))
  })
  const next = async (): Promise<void> => {
    await expect.poll(() => steps.length).toBe(1)
    steps.pop()?.()
  }
  const added = privileges.add(WRITE)
  await next()
  await added
  const taken = privileges.take(WRITE)
  await expect.poll(() => steps.length).toBe(1)
  // While that is on its way, the catalog changes.
  const again = privileges.change(READ, true)
  await next()
  await taken
  await next()
  await again
  expect(assigned).toBe(3)
})
