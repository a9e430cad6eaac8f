import { SallyportError } from '../access/errors.ts'

/** What came of one case. */
export interface CaseResult {
  readonly path: string
  readonly line: number
  readonly name: string
  /** What differs from what was expected; empty: it passed. */
  readonly differences: readonly CaseDifference[]
  /** Why it was decided so. */
  readonly reason?: string
}

export interface CaseDifference {
  readonly what: 'decision' | 'policies' | 'approvers' | 'reason' | 'columns' | 'alarms' | 'case'
  readonly expected: string
  readonly got: string
}

/** Cases beside the policies do not come out as they say: the policies do not do what their authors believe. */
export class PolicyTestsFailed extends SallyportError {
  readonly results: readonly CaseResult[]

  constructor(results: readonly CaseResult[]) {
    const failed = results.filter(({ differences }) => differences.length > 0)
    super('POLICY_TESTS_FAILED', failed.map(describeCase).join('\n'), {
      hint: 'correct the policies or the cases and apply them again; until then what was applied before stays in force',
    })
    this.results = results
  }
}

/** `agents.test.yaml:12: agents read orders: decision: expected permit, got deny (…)` */
export function describeCase({ path, line, name, differences, reason }: CaseResult): string {
  const what = differences.map((one) => `${one.what}: expected ${one.expected}, got ${one.got}`).join('; ')
  return `${path}:${line}: ${name}: ${what}${reason === undefined ? '' : ` (${reason})`}`
}
