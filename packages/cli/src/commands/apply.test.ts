import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sallyport, stubGateway } from '../stub-gateway.fixture.ts'
import { changesBetween, resourceFiles } from './apply.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-apply-'))
  await mkdir(join(folder, 'policies'))
  await writeFile(join(folder, 'targets.yaml'), 'kind: Target\n')
  await writeFile(join(folder, 'policies', 'agents.cedar'), '// none\n')
  await writeFile(join(folder, 'README.md'), 'not a resource')
})

afterEach(() => rm(folder, { recursive: true }))

test('resources are the yaml and cedar files, by path', async () => {
  expect(await resourceFiles(folder)).toEqual([
    { path: 'policies/agents.cedar', text: '// none\n' },
    { path: 'targets.yaml', text: 'kind: Target\n' },
  ])
})

test('changes are files that come, differ or go', () => {
  const before = ['a', 'b', 'c'].map((path) => ({ path, text: '1' }))
  const after = [before[0], { path: 'b', text: '2' }, { path: 'd', text: '1' }].filter(
    (file) => file !== undefined,
  )
  expect(changesBetween(before, after)).toEqual([
    { change: 'change', path: 'b' },
    { change: 'remove', path: 'c' },
    { change: 'add', path: 'd' },
  ])
})

test('the whole set is sent, with the version that it was compared to', async () => {
  await using gateway = await stubGateway({
    'GET /api/v1/resources': { status: 200, body: { version: 3, files: [] } },
    'PUT /api/v1/resources': { status: 200, body: { version: 4 } },
  })
  const env = { SALLYPORT_TOKEN: 't', SALLYPORT_URL: gateway.url }
  const { code, stdout, stderr } = await sallyport(['apply', folder], env)
  expect({ code, stdout }).toEqual({ code: 0, stdout: '+ policies/agents.cedar\n+ targets.yaml\n' })
  expect(stderr).toBe('applied as version 4\n')
  expect(gateway.bodies.at(-1)).toEqual({ expected: 3, files: await resourceFiles(folder) })
})

test('a dry run changes nothing', async () => {
  await using gateway = await stubGateway({
    'GET /api/v1/resources': { status: 200, body: { version: 3, files: [] } },
  })
  const env = { SALLYPORT_TOKEN: 't', SALLYPORT_URL: gateway.url }
  expect((await sallyport(['apply', folder, '--dry-run'], env)).code).toBe(0)
  expect(gateway.requests).toEqual(['GET /api/v1/resources'])
})
