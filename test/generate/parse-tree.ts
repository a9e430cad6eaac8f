/**
 * Writes `packages/gateway/src/protocols/sql/parse-tree.ts`: which fields of PostgreSQL's raw parse tree hold further
 * nodes, taken from the type definitions that belong to the parser. Run it after updating `libpg-query`:
 *
 *   node test/generate/parse-tree.ts
 *
 * Only the nodes named here are known to the analysis. Nodes that the raw parser never makes (those of analysis and
 * planning) are left out on purpose. Statements in the second part have a rule of their own in `read-definition.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const KNOWN =
  `A_ArrayExpr A_Const A_Expr A_Indices A_Indirection A_Star Alias AlterTableCmd ATAlterConstraint BitString
  Boolean BooleanTest BoolExpr CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef ColumnRef CommonTableExpr
  Constraint CTECycleClause CTESearchClause CurrentOfExpr DefElem DeleteStmt Float FuncCall FunctionParameter
  GroupingFunc GroupingSet IndexElem InferClause InsertStmt Integer IntoClause JoinExpr JsonAggConstructor
  JsonArgument JsonArrayAgg JsonArrayConstructor JsonArrayQueryConstructor JsonBehavior JsonFormat JsonFuncExpr
  JsonIsPredicate JsonKeyValue JsonObjectAgg JsonObjectConstructor JsonOutput JsonParseExpr JsonReturning
  JsonScalarExpr JsonSerializeExpr JsonTable JsonTableColumn JsonTablePathSpec JsonValueExpr List LockingClause
  MergeStmt MergeSupportFunc MergeWhenClause MinMaxExpr MultiAssignRef NamedArgExpr NullTest ObjectWithArgs
  OnConflictClause ParamRef PartitionBoundSpec PartitionCmd PartitionElem PartitionRangeDatum PartitionSpec
  RangeFunction RangeSubselect RangeTableFunc RangeTableFuncCol RangeTableSample RangeVar ReplicaIdentityStmt ResTarget
  ReturningClause ReturningOption RoleSpec RowExpr SelectStmt SetToDefault SortBy SQLValueFunction StatsElem String
  SubLink TableLikeClause TypeCast TypeName UpdateStmt WindowDef WithClause XmlExpr XmlSerialize

  AlterDomainStmt AlterEnumStmt AlterPolicyStmt AlterSeqStmt AlterStatsStmt AlterTableStmt AlterTypeStmt
  CompositeTypeStmt CreateDomainStmt CreateEnumStmt CreatePolicyStmt CreateSeqStmt CreateStatsStmt CreateStmt
  IndexStmt ViewStmt`.split(/\s+/)

const gateway = createRequire(new URL('../../packages/gateway/package.json', import.meta.url))
const types = readFileSync(
  createRequire(gateway.resolve('libpg-query')).resolve('@pgsql/types/types.d.ts'),
  'utf8',
)

const lines = KNOWN.map((tag) => {
  const body = new RegExp(`export interface ${tag} \\{\\n([^}]*)\\}`).exec(types)?.[1]
  if (body === undefined) throw new Error(`the parser has no node ${tag}`)
  const fields = [...body.matchAll(/^ {4}(\w+)\?: (\w+)(\[\])?;$/gm)].flatMap(([, field, type, list]) => {
    if (type === 'Node') return [`${field}${list ? '*' : ''}`]
    return type !== undefined && KNOWN.includes(type) ? [`${field}:${type}`] : []
  })
  return [tag, ...fields].join(' ')
})

const wrapped = lines.flatMap((line) => {
  const out: string[] = []
  let rest = `  ${line}`
  while (rest.length > 108) {
    const cut = rest.lastIndexOf(' ', 108)
    out.push(`${rest.slice(0, cut)} \\`)
    rest = `    ${rest.slice(cut + 1)}`
  }
  return [...out, rest]
})

writeFileSync(
  new URL('../../packages/gateway/src/protocols/sql/parse-tree.ts', import.meta.url),
  `// Made by test/generate/parse-tree.ts: change it there.

/**
 * The nodes of PostgreSQL's raw parse tree that the analysis knows, a line each: the node, then its fields that hold
 * further nodes. \`field\` is one tagged node, \`field*\` a list of them, \`field:Type\` an untagged node of that type.
 * A node, or a field with a node in it, that is not here makes a statement opaque.
 */
const NODES = \`
${wrapped.join('\n')}
\`

/** By node, by field: \`Node\`, \`Node[]\`, or the type of the untagged node it holds. */
export const PARSE_TREE: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  NODES.trim()
    .split('\\n')
    .map((line) => {
      const [tag = '', ...fields] = line.trim().split(' ')
      return [
        tag,
        new Map(
          fields.map((field): [string, string] => {
            if (field.endsWith('*')) return [field.slice(0, -1), 'Node[]']
            const [name = '', type] = field.split(':')
            return [name, type ?? 'Node']
          }),
        ),
      ]
    }),
)
`,
)
