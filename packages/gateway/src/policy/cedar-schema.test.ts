import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import { expect, test } from 'vitest'
import { ACTIONS } from '../access/model.ts'
import { ACTION_GROUPS, ADMIN_ACTIONS, CEDAR_SCHEMA } from './cedar-schema.ts'

function actionsOfSchema() {
  const answer = cedar.schemaToJson(CEDAR_SCHEMA)
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
  return answer.json['']?.actions ?? {}
}

test('declares exactly the actions that are asked about', () => {
  const asked = Object.entries(actionsOfSchema()).filter(
    ([, action]) => (action.appliesTo?.resourceTypes.length ?? 0) > 0,
  )
  expect(asked.map(([name]) => name).toSorted()).toEqual([...ACTIONS, ...ADMIN_ACTIONS].toSorted())
})

test('puts every action into the group that requests say it is in', () => {
  const groups = Object.entries(actionsOfSchema()).flatMap(([name, action]) =>
    (action.memberOf ?? []).map((group) => [name, group.id]),
  )
  expect(Object.fromEntries(groups)).toEqual(ACTION_GROUPS)
})
