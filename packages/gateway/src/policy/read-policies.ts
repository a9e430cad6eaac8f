import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { ApprovalRule } from '../access/approval.ts'
import type { AlarmRule } from '../access/alarm.ts'
import { readApprovalRule, readGroups } from './approval-rule.ts'
import { CEDAR_SCHEMA } from './cedar-schema.ts'
import { didYouMean } from '../access/did-you-mean.ts'
import { usesOf } from './policy-uses.ts'
import type { ResourceFile } from './ports.ts'
import { fromUtf8Offset, positionAt } from './resource-problem.ts'
import type { ResourceProblem } from './resource-problem.ts'
import { splitPolicies } from './split-policies.ts'

/** What a policy may say about itself. Anything else is a misspelling that would silently say nothing. */
export const ANNOTATIONS = [
  'id',
  'description',
  'reason',
  'advice',
  'approvers',
  'quorum',
  'ttl',
  'alarm',
  'reviewers',
] as const
const KNOWN: ReadonlySet<string> = new Set(ANNOTATIONS)

export interface Policy {
  /** Its `@id`: how decisions, recordings and people name it. */
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly text: string
  readonly json: PolicyJson
  readonly annotations: Readonly<Record<string, string>>
  /** Of a `forbid` with `@approvers`: whose word lifts it. */
  readonly approval?: ApprovalRule
  /** Of a `permit` with `@alarm`: what is said when it permits something, and who looks at it afterwards. */
  readonly alarm?: AlarmRule
  readonly path: string
  readonly line: number
}

/** Makes a problem at an offset within one policy's text. */
type Problem = (offset: number, message: string, hint?: string) => ResourceProblem

interface Located {
  readonly policy: Policy
  readonly problem: Problem
}

/**
 * The policies of all files, each parsed by itself, named by its `@id` and valid under `CEDAR_SCHEMA`. Problems are
 * appended to `problems`, and with any there are no policies: half of a set may permit what the whole forbids.
 */
export function readPolicies(files: readonly ResourceFile[], problems: ResourceProblem[]): readonly Policy[] {
  const before = problems.length
  const byId = new Map<string, Located>()
  for (const file of files) {
    for (const located of parseFile(file, problems)) {
      const { id } = located.policy
      const first = byId.get(id)?.policy
      if (first === undefined) byId.set(id, located)
      else problems.push(located.problem(0, `@id("${id}") is already used at ${first.path}:${first.line}`))
    }
  }
  validate(byId, problems)
  return problems.length > before ? [] : [...byId.values()].map((located) => located.policy)
}

function parseFile(file: ResourceFile, problems: ResourceProblem[]): readonly Located[] {
  const policies: Located[] = []
  for (const { text, offset } of splitPolicies(file.text)) {
    const problem: Problem = (within, message, hint) => {
      const { line, column } = positionAt(file.text, offset + within)
      return { path: file.path, line, column, message, ...(hint === undefined ? {} : { hint }) }
    }
    const parsed = cedar.policyToJson(text)
    if (parsed.type === 'failure') {
      problems.push(...parsed.errors.map((error) => parseProblem(text, error, problem)))
      continue
    }
    const annotations = annotationsOf(parsed.json)
    const id = annotations.id ?? ''
    const { rule, problems: wrong } = readApprovalRule(id, annotations)
    const reviewers =
      annotations.reviewers === undefined
        ? { groups: [], problems: [] }
        : readGroups('reviewers', annotations.reviewers, 'nobody could review it')
    const found = [
      ...problemsOfAnnotations(text, id, annotations, problem),
      ...wrong.map(({ annotation, message, hint }) => problem(at(text, annotation), message, hint)),
      ...problemsOfEffect(text, parsed.json, annotations, problem),
      ...reviewers.problems.map(({ annotation, message, hint }) =>
        problem(at(text, annotation), message, hint),
      ),
    ]
    problems.push(...found)
    if (found.length > 0) continue
    const line = positionAt(file.text, offset).line
    const { effect } = parsed.json
    policies.push({
      policy: {
        id,
        effect,
        text,
        json: parsed.json,
        annotations,
        ...(rule === undefined ? {} : { approval: rule }),
        ...(annotations.alarm === undefined
          ? {}
          : { alarm: { policy: id, says: annotations.alarm, reviewers: reviewers.groups } }),
        path: file.path,
        line,
      },
      problem,
    })
  }
  return policies
}

function parseProblem(text: string, error: DetailedError, problem: Problem): ResourceProblem {
  const label = error.sourceLocations?.[0]
  const offset = label === undefined ? 0 : fromUtf8Offset(text, label.start)
  if (error.message.includes('template')) {
    return problem(offset, 'policy templates are not accepted', 'write the principal and the resource out')
  }
  const message = error.message.replace('failed to parse policy from string: ', '')
  return problem(offset, message, label?.label ?? error.help ?? undefined)
}

/** An annotation without a value (`@foo`) is null in Cedar's JSON. */
function annotationsOf(json: PolicyJson): Record<string, string> {
  return Object.fromEntries(Object.entries(json.annotations ?? {}).map(([key, value]) => [key, value ?? '']))
}

function problemsOfAnnotations(
  text: string,
  id: string,
  annotations: Readonly<Record<string, string>>,
  problem: Problem,
): readonly ResourceProblem[] {
  const found: ResourceProblem[] = []
  // Ids are shown in terminals, kept in recordings and put into HTTP headers.
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/.test(id)) {
    const message = id === '' ? 'the policy has no @id' : `@id("${id}") is not a usable name`
    found.push(problem(0, message, 'begin it with @id("…") of letters, digits, ".", "_", "/" and "-"'))
  }
  for (const name of Object.keys(annotations)) {
    if (KNOWN.has(name)) continue
    const offset = at(text, name)
    const known = `known are ${ANNOTATIONS.map((known) => `@${known}`).join(', ')}`
    found.push(problem(offset, `unknown annotation @${name}`, didYouMean(name, ANNOTATIONS) ?? known))
  }
  return found
}

/** Annotations that contradict what their policy is: it would do something else than its author believes. */
function problemsOfEffect(
  text: string,
  json: PolicyJson,
  annotations: Readonly<Record<string, string>>,
  problem: Problem,
): readonly ResourceProblem[] {
  const found: ResourceProblem[] = []
  const { approvers, alarm } = annotations
  if (approvers !== undefined && json.effect === 'permit') {
    const message = '@approvers is for a forbid: what a permit permits needs nobody'
    found.push(problem(at(text, 'approvers'), message, 'write forbid (…) unless { context has approval }'))
  } else if (approvers !== undefined && !usesOf(json).context.has('approval')) {
    const message = 'it never looks at context.approval, so that no approval could lift it'
    found.push(problem(at(text, 'approvers'), message, 'end it with unless { context has approval }'))
  }
  if (annotations.reviewers !== undefined && alarm === undefined) {
    const message = '@reviewers says nothing without @alarm'
    found.push(problem(at(text, 'reviewers'), message, 'add @alarm("…"), or remove it'))
  }
  if (alarm === undefined) return found
  if (json.effect === 'forbid') {
    const message = '@alarm is for a permit: what is forbidden does not happen'
    found.push(problem(at(text, 'alarm'), message, 'put it on the permit that lets it happen'))
  }
  if (alarm === '') {
    const message = '@alarm has no words for those who are alarmed'
    found.push(problem(at(text, 'alarm'), message, 'write @alarm("somebody broke the glass")'))
  }
  return found
}

function at(text: string, annotation: string): number {
  return Math.max(0, text.indexOf(`@${annotation}`))
}

/**
 * Cedar's strict validation. A policy that can never apply is refused as well: whoever wrote that `forbid` believes
 * that it protects something.
 */
function validate(byId: ReadonlyMap<string, Located>, problems: ResourceProblem[]): void {
  const staticPolicies = Object.fromEntries([...byId].map(([id, located]) => [id, located.policy.text]))
  const answer = cedar.validate({ schema: CEDAR_SCHEMA, policies: { staticPolicies } })
  if (answer.type === 'failure') {
    const message = answer.errors.map((error) => error.message).join('; ')
    problems.push({ path: '*.cedar', line: 1, column: 1, message })
    return
  }
  const invalid = new Set(answer.validationErrors.map((found) => found.policyId))
  const impossible = answer.validationWarnings.filter(
    (found) => !invalid.has(found.policyId) && found.error.message.includes('policy is impossible'),
  )
  // Cedar says it again for every action and type of entity that a policy is about.
  const said = new Set<string>()
  for (const { policyId, error } of [...answer.validationErrors, ...impossible]) {
    const located = byId.get(policyId)
    if (located === undefined) continue
    const what = error.message.replaceAll(/Action::"[^"]*"/g, 'Action')
    const key = `${policyId} ${error.sourceLocations?.[0]?.start} ${what}`
    if (said.has(key)) continue
    said.add(key)
    const offset = fromUtf8Offset(located.policy.text, error.sourceLocations?.[0]?.start ?? 0)
    const message = error.message.replace(/^for policy `.*?`, /, '')
    problems.push(located.problem(offset, `${message} in ${policyId}`, error.help ?? undefined))
  }
}
