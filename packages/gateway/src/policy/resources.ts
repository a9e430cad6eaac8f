import type { ClassPattern } from '../access/masking.ts'
import type { Target } from '../access/model.ts'
import type { Secret } from '../access/secret.ts'
import { SallyportError } from '../access/errors.ts'
import { didYouMean } from '../access/did-you-mean.ts'
import type { ResourceFile } from './ports.ts'
import { ClassifiedFields } from './classified-fields.ts'
import { readPolicies } from './read-policies.ts'
import type { Policy } from './read-policies.ts'
import { readYaml } from './read-yaml.ts'
import type { ReadResource } from './read-yaml.ts'
import { ResourcesInvalid } from './resource-problem.ts'
import type { ResourceProblem } from './resource-problem.ts'
import type { PolicyTest } from './policy-test-schema.ts'
import type { Classification, DataClass, SecretReference, TargetResource } from './resource-schemas.ts'

/** Everything that was applied, understood. */
export interface Resources {
  readonly targets: ReadonlyMap<string, Target>
  readonly policies: readonly Policy[]
  readonly classifications: readonly Classification[]
  readonly dataClasses: ReadonlyMap<string, DataClass>
  /** Of all data classes: what they look like in texts. */
  readonly patterns: readonly ClassPattern[]
  /** By target: which of its columns hold which classes. */
  readonly fields: ReadonlyMap<string, ClassifiedFields>
  readonly tests: readonly LocatedTest[]
  /** The classifications, and how to say where in their files something is. */
  readonly located: readonly { readonly value: Classification; readonly problem: ReadResource['problem'] }[]
}

/** Cases that say what the policies beside them must decide, and where each is written. */
export interface LocatedTest {
  readonly test: PolicyTest
  readonly path: string
  /** The line of each case. */
  readonly lines: readonly number[]
}

/** Fetches what a reference points to. May throw; the message becomes part of the problem, so it must hold no secret. */
export type ResolveSecret = (reference: SecretReference) => Secret

/** No targets, no policies: everything is denied. */
export const NO_RESOURCES: Resources = {
  targets: new Map(),
  policies: [],
  classifications: [],
  dataClasses: new Map(),
  patterns: [],
  fields: new Map(),
  tests: [],
  located: [],
}

/**
 * Reads `*.yaml` and `*.cedar` files into resources.
 * @throws ResourcesInvalid (RESOURCE_INVALID) with every problem, each with its file, line and column
 */
export function readResources(files: readonly ResourceFile[], resolve: ResolveSecret): Resources {
  const problems: ResourceProblem[] = []
  const targets = new Map<string, Target>()
  const dataClasses = new Map<string, DataClass>()
  const classifications: { value: Classification; read: ReadResource }[] = []
  const tests: LocatedTest[] = []
  for (const file of files) {
    if (file.path.endsWith('.cedar')) continue
    if (!/\.ya?ml$/.test(file.path)) {
      const message = 'is neither .yaml nor .cedar, so that nothing in it would apply'
      problems.push({ path: file.path, line: 1, column: 1, message })
      continue
    }
    for (const read of readYaml(file, problems)) {
      const { resource } = read
      if (resource.kind === 'Classification') {
        classifications.push({ value: resource, read })
        continue
      }
      if (resource.kind === 'PolicyTest') {
        const lines = resource.cases.map((_, i) => read.problem(['cases', i], '').line)
        tests.push({ test: resource, path: file.path, lines })
        continue
      }
      const taken: ReadonlyMap<string, unknown> = resource.kind === 'Target' ? targets : dataClasses
      if (taken.has(resource.name)) {
        problems.push(read.problem(['name'], `there is already a ${resource.kind} named "${resource.name}"`))
      } else if (resource.kind === 'DataClass') {
        dataClasses.set(resource.name, resource)
      } else {
        const target = targetOf(resource, read, resolve, problems)
        if (target !== undefined) targets.set(target.name, target)
      }
    }
  }
  for (const { value, read } of classifications) {
    if (problems.length > 0 || targets.has(value.target)) continue
    const hint = didYouMean(value.target, targets.keys())
    problems.push(read.problem(['target'], `there is no target "${value.target}"`, hint))
  }
  const policies = readPolicies(
    files.filter((file) => file.path.endsWith('.cedar')),
    problems,
  )
  if (problems.length > 0) throw new ResourcesInvalid(problems)
  const all = classifications.map(({ value }) => value)
  const located = classifications.map(({ value, read }) => ({ value, problem: read.problem.bind(read) }))
  const fields = new Map(
    [...new Set(all.map(({ target }) => target))].map((name) => [
      name,
      new ClassifiedFields(all.filter(({ target }) => target === name)),
    ]),
  )
  const patterns = [...dataClasses.values()].flatMap(({ name, patterns }) =>
    patterns.map((pattern) => ({ dataClass: name, pattern })),
  )
  return { targets, policies, classifications: all, dataClasses, patterns, fields, tests, located }
}

function targetOf(
  resource: TargetResource,
  read: ReadResource,
  resolve: ResolveSecret,
  problems: ResourceProblem[],
): Target | undefined {
  const fetch = (path: readonly string[], reference: SecretReference): Secret | undefined => {
    try {
      return resolve(reference)
    } catch (thrown) {
      const why = thrown instanceof SallyportError ? thrown : undefined
      const message = why?.message ?? 'what it refers to could not be read'
      problems.push(read.problem(path, `"${path.join('.')}": ${message}`, why?.hint))
      return undefined
    }
  }
  const { credentials, tls } = resource
  const password = fetch(['credentials', 'password'], credentials.password)
  const ca = typeof tls.ca === 'object' ? fetch(['tls', 'ca'], tls.ca)?.reveal() : tls.ca
  if (password === undefined || (tls.ca !== undefined && ca === undefined)) return undefined
  return {
    name: resource.name,
    protocol: resource.protocol,
    address: resource.address,
    database: resource.database,
    tls: { mode: tls.mode, ...(ca === undefined ? {} : { ca }) },
    tags: resource.tags,
    recording: resource.recording,
    ...(resource.approvals === undefined ? {} : { approvalWaitSeconds: resource.approvals.wait }),
    credentials: {
      issuer: credentials.issuer,
      username: credentials.username,
      password,
      ttlSeconds: credentials.ttl,
      prewarm: credentials.prewarm,
    },
  }
}
