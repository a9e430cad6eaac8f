/** One node of a plan, as far as people are shown it. */
export interface PlanNode {
  readonly what: string
  readonly relation: string | undefined
  /** As the planner estimates. Of a change: the rows that it is fed, since the change itself gives none back. */
  readonly rows: number
  readonly below: readonly PlanNode[]
}

/** A plan that goes deeper is cut: the target's answer must not exhaust the stack. */
const MAX_DEPTH = 50
/** Lines that are shown. */
const MAX_LINES = 40

/** Reads the answer of EXPLAIN (FORMAT JSON); undefined for what is none. */
export function readPlan(json: string): PlanNode | undefined {
  let answer: unknown
  try {
    answer = JSON.parse(json)
  } catch {
    return undefined
  }
  const [first] = Array.isArray(answer) ? (answer as unknown[]) : []
  return nodeOf(member(first, 'Plan'), 0)
}

function nodeOf(value: unknown, depth: number): PlanNode | undefined {
  const type = member(value, 'Node Type')
  if (typeof type !== 'string' || depth > MAX_DEPTH) return undefined
  const plans = member(value, 'Plans')
  const below = (Array.isArray(plans) ? (plans as unknown[]) : []).flatMap(
    (plan) => nodeOf(plan, depth + 1) ?? [],
  )
  const operation = member(value, 'Operation')
  const relation = member(value, 'Relation Name')
  const index = member(value, 'Index Name')
  const own = member(value, 'Plan Rows')
  const isChange = type === 'ModifyTable'
  const rows = isChange ? Math.max(0, ...below.map((node) => node.rows)) : typeof own === 'number' ? own : 0
  const using = typeof index === 'string' ? ` using ${index}` : ''
  return {
    what: `${isChange && typeof operation === 'string' ? operation : type}${using}`,
    relation: typeof relation === 'string' ? relation : undefined,
    rows,
    below,
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

/** The plan as text, an indented line for each node. */
export function planLines(plan: PlanNode): readonly string[] {
  const lines: string[] = []
  const add = ({ what, relation, rows, below }: PlanNode, depth: number): void => {
    if (lines.length >= MAX_LINES) return
    lines.push(
      `${'  '.repeat(depth)}${what}${relation === undefined ? '' : ` on ${relation}`}, about ${rows} rows`,
    )
    for (const node of below) add(node, depth + 1)
  }
  add(plan, 0)
  return lines
}
