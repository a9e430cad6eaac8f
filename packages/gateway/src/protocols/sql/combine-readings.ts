import { combineFlows, type DataFlow, UNKNOWN_FLOW } from '../../access/data-flow.ts'
import type { Grant } from '../../access/capability.ts'
import type { Operation } from '../../access/model.ts'
import { executedFlow, type ExecutedName } from './executed-flow.ts'
import type { SqlReading } from './reading.ts'
import { opaqueReading } from './reading.ts'
import type { NameChanges } from './search-path.ts'

/** What a statement does that touches nothing: no more than being connected. */
const CONNECT: Operation = { action: 'connect', resource: { type: 'Target' } }

/**
 * The statements of one simple query as one reading: it does what any of them does, and is opaque when any of them is.
 * An empty query does nothing but be there.
 */
export function combineReadings(statements: readonly SqlReading[]): SqlReading {
  const [only] = statements
  if (only !== undefined && statements.length === 1)
    return only.operations.length > 0 ? only : { ...only, operations: [CONNECT] }
  const made = statements.flatMap(({ prepares, declares }) => prepares ?? declares?.name ?? [])
  if (made.length > 1)
    return opaqueReading('it names more than one statement or cursor; name each by a query of its own')
  const prepares = statements.find((statement) => statement.prepares !== undefined)?.prepares
  const declares = statements.find((statement) => statement.declares !== undefined)?.declares
  const changes = combineChanges(statements)
  const closes = statements.map((statement) => statement.closes)
  const because = statements.find(({ opaqueBecause }) => opaqueBecause !== undefined)?.opaqueBecause
  const facts = statements.map((statement) => statement.facts)
  const operations = unique(statements.flatMap((statement) => statement.operations))
  const flows = followNames(statements)
  const calls = unique(statements.flatMap((statement) => statement.calls ?? []))
  return {
    operations: operations.length > 0 ? operations : [CONNECT],
    facts: {
      hasWhere: facts.every(({ hasWhere }) => hasWhere),
      whereIsTrivial: facts.some(({ whereIsTrivial }) => whereIsTrivial),
      functions: [...new Set(facts.flatMap(({ functions }) => functions))].toSorted(),
      multi: statements.length > 1,
      locksRows: facts.some(({ locksRows }) => locksRows),
      readOnly: facts.every(({ readOnly }) => readOnly),
      reading: because === undefined ? 'complete' : 'opaque',
    },
    ...(because === undefined ? {} : { opaqueBecause: because }),
    dependsOn: statements.some(({ dependsOn }) => dependsOn === 'text') ? 'text' : 'shape',
    needs: unique<Grant>(statements.flatMap(({ needs }) => needs)),
    flow: because === undefined ? combineFlows(flows) : UNKNOWN_FLOW,
    ...(flows.length > 1 ? { flows } : {}),
    ...(calls.length === 0 ? {} : { calls }),
    ...(prepares === undefined ? {} : { prepares }),
    executes: usedBeforeMade(statements, 'executes', ({ prepares: name }) => name),
    ...(declares === undefined ? {} : { declares }),
    fetches: usedBeforeMade(statements, 'fetches', ({ declares: cursor }) => cursor?.name),
    closes: closes.some((which) => typeof which === 'string') ? 'all' : [...new Set(closes.flat())],
    ...(changes === undefined ? {} : { changes }),
    copies: statements.flatMap(({ copies }) => copies),
  }
}

function unique<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()]
}

/** The flow of each statement, with that of what it runs by a name that an earlier one of the same text has made. */
function followNames(statements: readonly SqlReading[]): readonly DataFlow[] {
  const made: { readonly name: ExecutedName; readonly flow: DataFlow }[] = []
  return statements.map((statement) => {
    const flow = made.reduce((all, one) => executedFlow(all, one.name, one.flow), statement.flow)
    const { prepares, declares } = statement
    if (prepares !== undefined) made.push({ name: { kind: 'statement', name: prepares }, flow })
    if (declares !== undefined) made.push({ name: { kind: 'cursor', name: declares.name }, flow })
    return flow
  })
}

/** Names that stand for what was there before: whoever runs what the same text has made does what the text does anyway. */
function usedBeforeMade(
  statements: readonly SqlReading[],
  uses: 'executes' | 'fetches',
  makes: (statement: SqlReading) => string | undefined,
): readonly string[] {
  const made = new Set<string | undefined>()
  const used = new Set<string>()
  for (const statement of statements) {
    for (const name of statement[uses]) if (!made.has(name)) used.add(name)
    made.add(makes(statement))
  }
  return [...used]
}

function combineChanges(statements: readonly SqlReading[]): NameChanges | undefined {
  const all = statements.flatMap(({ changes }) => changes ?? [])
  if (all.length === 0) return undefined
  return {
    paths: all.flatMap(({ paths }) => paths),
    temporary: all.flatMap(({ temporary }) => temporary),
    mayChangePath: all.some(({ mayChangePath }) => mayChangePath),
    mayRevert: all.some(({ mayRevert }) => mayRevert),
  }
}
