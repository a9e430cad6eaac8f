import { SallyportError } from '../../access/errors.ts'
import type { ApprovalSubject, BoundParameter, StatementPreview } from '../contract.ts'
import type { CountQuery } from '../sql/count-query.ts'
import { formatSearchPath } from '../sql/search-path.ts'
import { planLines, readPlan } from './explain-plan.ts'
import { Questions } from './questions.ts'
import type { PostgresUpstream } from './upstream.ts'

/** The type `text`: for parameters that a query does not have, whose type the target could not find out. */
const TEXT = 25

/**
 * Tight, because nobody has asked for this work yet: what takes longer is not told. It waits for no lock either, so that a
 * preview never stands in anybody's way.
 */
const LIMITS = "SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '200ms'; SET LOCAL jit = off"

/** What `sql` is asked with, for the recording. */
export type BeforeAsking = (sql: string) => Promise<void>

/**
 * What a statement would do, without doing it: its plan, and a count of the rows. Each in a read-only transaction that is
 * rolled back; never by running the statement, whose triggers, locks and sequences would be real.
 * @param before called with each query before it is sent
 */
export async function previewStatement(
  upstream: PostgresUpstream,
  subject: ApprovalSubject,
  count: CountQuery,
  before: BeforeAsking,
  signal: AbortSignal,
): Promise<StatementPreview> {
  const questions = new Questions(upstream.stream, signal)
  await questions.simple('SET default_transaction_read_only = on')
  const explain = `EXPLAIN (FORMAT JSON)\n${subject.text}`
  const plan = await asked(questions, subject, explain, subject.parameters, before)
  const counted =
    count.kind === 'query'
      ? await asked(questions, subject, count.sql, onlyThose(subject.parameters, count.parameters), before)
      : undefined
  const read = 'value' in plan ? readPlan(plan.value) : undefined
  return {
    plan:
      read === undefined
        ? { unknown: 'failure' in plan ? plan.failure : 'it is no plan' }
        : { lines: planLines(read) },
    estimatedRows: read?.rows,
    countedRows:
      count.kind === 'rows'
        ? count.rows
        : counted !== undefined && 'value' in counted && /^\d{1,15}$/.test(counted.value)
          ? Number(counted.value)
          : undefined,
    notCountedBecause:
      count.kind === 'none'
        ? count.because
        : counted !== undefined && 'failure' in counted
          ? counted.failure
          : undefined,
  }
}

async function asked(
  questions: Questions,
  { searchPath }: ApprovalSubject,
  sql: string,
  parameters: readonly BoundParameter[],
  before: BeforeAsking,
): Promise<{ readonly value: string } | { readonly failure: string }> {
  await before(sql)
  const path = formatSearchPath(searchPath)
  await questions.simple(`BEGIN READ ONLY; ${LIMITS}; SET LOCAL search_path = ${path === '' ? "''" : path}`)
  try {
    const value = await questions.value(sql, parameters)
    return value === undefined ? { failure: 'the target gave no answer' } : { value }
  } catch (error) {
    if (error instanceof SallyportError && error.code === 'REQUEST_INVALID') return { failure: error.message }
    throw error
  } finally {
    await questions.simple('ROLLBACK').catch(() => undefined)
  }
}

/** The others are there, so that numbers stay what they are, but have no value. */
function onlyThose(
  parameters: readonly BoundParameter[],
  numbers: readonly number[],
): readonly BoundParameter[] {
  const last = Math.max(0, ...numbers)
  return parameters
    .slice(0, last)
    .map((parameter, i) => (numbers.includes(i + 1) ? parameter : { format: 0, type: TEXT, value: null }))
}
