import type { Action, StatementFacts } from '../access/model.ts'
import type { PolicyUses } from './policy-uses.ts'

/**
 * The most combinations tried for one operation: about 20 ms of a thread that serves everybody. Beyond it a privilege
 * may be missing from a credential, never too many in it: the target then refuses what the gateway permitted.
 */
const MOST_COMBINATIONS = 128

/** What a function's name can look like: leaves out the dates, addresses and sentences that policies hold as well. */
const FUNCTION_NAME = /^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)?$/

/** Only of these can a statement be that runs in a read-only transaction. */
const READS: ReadonlySet<Action> = new Set<Action>([
  'connect',
  'select',
  'copyOut',
  'call',
  'set',
  'listen',
  'reveal',
  'infer',
])

/**
 * Statements of which at least one is permitted if policy permits any statement at all with this action; none when no
 * policy permits anything. Policies can do no more with a statement's facts than test the truth values, compare the limit
 * with numbers and the functions with texts that they hold themselves; so it is enough to try both truth values, the
 * numbers on, below and above each constant, and each text, none and all of them: of the facts that some policy reads.
 * Arithmetic on the limit is not followed. The statement that nothing speaks against comes first, and is nearly always enough.
 */
export function* optimisticFacts(uses: readonly PolicyUses[], action: Action): Generator<StatementFacts> {
  if (uses.length === 0) return
  const reads = (fact: string): boolean => uses.some(({ facts }) => facts === 'all' || facts.has(fact))
  const names = [...new Set(uses.flatMap((use) => [...use.texts]))].filter((text) => FUNCTION_NAME.test(text))
  const calls: readonly (readonly string[])[] =
    !reads('functions') || names.length === 0 ? [[]] : [[], names.toSorted(), ...names.map((name) => [name])]
  const numbers = uses.flatMap((use) => [...use.numbers]).flatMap((n) => [n, n - 1, n + 1])
  const limits = reads('limit') ? [1, undefined, ...new Set(numbers.filter((n) => n >= 0))] : [1]
  const either = (fact: string, first: boolean): readonly boolean[] =>
    reads(fact) ? [first, !first] : [first]
  let left = MOST_COMBINATIONS
  for (const functions of calls) {
    for (const limit of limits) {
      for (const hasWhere of either('hasWhere', true)) {
        for (const whereIsTrivial of hasWhere ? either('whereIsTrivial', false) : [false]) {
          for (const multi of either('multi', false)) {
            for (const locksRows of either('locksRows', false)) {
              for (const readOnly of READS.has(action) ? either('readOnly', !locksRows) : [false]) {
                if (readOnly && locksRows) continue
                if (left-- === 0) return
                yield {
                  hasWhere,
                  whereIsTrivial,
                  functions,
                  multi,
                  locksRows,
                  readOnly,
                  reading: 'complete',
                  ...(limit === undefined ? {} : { limit }),
                }
              }
            }
          }
        }
      }
    }
  }
}
