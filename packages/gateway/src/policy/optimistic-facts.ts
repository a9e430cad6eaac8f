import type { StatementFacts } from '../access/model.ts'
import type { PolicyUses } from './policy-uses.ts'

/**
 * The most combinations tried for one operation: about 20 ms of a thread that serves everybody. Beyond it a privilege
 * may be missing from a credential, never too many in it: the target then refuses what the gateway permitted.
 */
const MOST_COMBINATIONS = 128

/** What a function's name can look like: leaves out the dates, addresses and sentences that policies hold as well. */
const FUNCTION_NAME = /^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)?$/

/** The statement that nothing speaks against: asked first, and nearly always enough. */
const HARMLESS: StatementFacts = {
  hasWhere: true,
  whereIsTrivial: false,
  functions: [],
  multi: false,
  locksRows: false,
  readOnly: false,
  limit: 1,
  reading: 'complete',
}

/**
 * Statements of which at least one is permitted if policy permits any statement at all with this action; none when no policy permits anything. Policies can
 * do no more with a statement's facts than test the truth values, compare the limit with numbers and the functions with
 * texts that they hold themselves; so it is enough to try both truth values, the numbers on, below and above each
 * constant, and each text, none and all of them. Arithmetic on the limit is not followed.
 */
export function* optimisticFacts(uses: readonly PolicyUses[]): Generator<StatementFacts> {
  if (uses.length === 0) return
  yield HARMLESS
  if (!uses.some((use) => use.context.has('statement'))) return
  const names = [...new Set(uses.flatMap((use) => [...use.texts]))].filter((text) => FUNCTION_NAME.test(text))
  const functions = names.length === 0 ? [[]] : [[], names.toSorted(), ...names.map((name) => [name])]
  const numbers = uses.flatMap((use) => [...use.numbers]).flatMap((n) => [n, n - 1, n + 1])
  const limits = [1, undefined, ...new Set(numbers.filter((n) => n >= 0))]
  let left = MOST_COMBINATIONS
  for (const calls of functions) {
    for (const limit of limits) {
      for (const hasWhere of [true, false]) {
        for (const whereIsTrivial of hasWhere ? [false, true] : [false]) {
          for (const multi of [false, true]) {
            if (left-- === 0) return
            const facts = {
              hasWhere,
              whereIsTrivial,
              functions: calls,
              multi,
              locksRows: false,
              readOnly: false,
              reading: 'complete',
            } as const
            yield limit === undefined ? facts : { ...facts, limit }
          }
        }
      }
    }
  }
}
