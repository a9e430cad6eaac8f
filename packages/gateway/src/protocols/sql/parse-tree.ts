// Made by test/generate/parse-tree.ts: change it there.

/**
 * The nodes of PostgreSQL's raw parse tree that the analysis knows, a line each: the node, then its fields that hold
 * further nodes. `field` is one tagged node, `field*` a list of them, `field:Type` an untagged node of that type.
 * A node, or a field with a node in it, that is not here makes a statement opaque.
 */
const NODES = `
  A_ArrayExpr elements*
  A_Const ival:Integer fval:Float boolval:Boolean sval:String bsval:BitString
  A_Expr name* lexpr rexpr
  A_Indices lidx uidx
  A_Indirection arg indirection*
  A_Star
  Alias colnames*
  AlterTableCmd newowner:RoleSpec def
  ATAlterConstraint
  BitString
  Boolean
  BooleanTest xpr arg
  BoolExpr xpr args*
  CaseExpr xpr arg args* defresult
  CaseWhen xpr expr result
  CoalesceExpr xpr args*
  CollateClause arg collname*
  ColumnDef typeName:TypeName raw_default cooked_default identitySequence:RangeVar collClause:CollateClause \
    constraints* fdwoptions*
  ColumnRef fields*
  CommonTableExpr aliascolnames* ctequery search_clause:CTESearchClause cycle_clause:CTECycleClause \
    ctecolnames* ctecoltypes* ctecoltypmods* ctecolcollations*
  Constraint raw_expr keys* including* exclusions* options* where_clause pktable:RangeVar fk_attrs* \
    pk_attrs* fk_del_set_cols* old_conpfeqop*
  CTECycleClause cycle_col_list* cycle_mark_value cycle_mark_default
  CTESearchClause search_col_list*
  CurrentOfExpr xpr
  DefElem arg
  DeleteStmt relation:RangeVar usingClause* whereClause returningClause:ReturningClause \
    withClause:WithClause
  Float
  FuncCall funcname* args* agg_order* agg_filter over:WindowDef
  FunctionParameter argType:TypeName defexpr
  GroupingFunc xpr args* refs*
  GroupingSet content*
  IndexElem expr collation* opclass* opclassopts*
  InferClause indexElems* whereClause
  InsertStmt relation:RangeVar cols* selectStmt onConflictClause:OnConflictClause \
    returningClause:ReturningClause withClause:WithClause
  Integer
  IntoClause rel:RangeVar colNames* options*
  JoinExpr larg rarg usingClause* join_using_alias:Alias quals alias:Alias
  JsonAggConstructor output:JsonOutput agg_filter agg_order* over:WindowDef
  JsonArgument val:JsonValueExpr
  JsonArrayAgg constructor:JsonAggConstructor arg:JsonValueExpr
  JsonArrayConstructor exprs* output:JsonOutput
  JsonArrayQueryConstructor query output:JsonOutput format:JsonFormat
  JsonBehavior expr
  JsonFormat
  JsonFuncExpr context_item:JsonValueExpr pathspec passing* output:JsonOutput on_empty:JsonBehavior \
    on_error:JsonBehavior
  JsonIsPredicate expr format:JsonFormat
  JsonKeyValue key value:JsonValueExpr
  JsonObjectAgg constructor:JsonAggConstructor arg:JsonKeyValue
  JsonObjectConstructor exprs* output:JsonOutput
  JsonOutput typeName:TypeName returning:JsonReturning
  JsonParseExpr expr:JsonValueExpr output:JsonOutput
  JsonReturning format:JsonFormat
  JsonScalarExpr expr output:JsonOutput
  JsonSerializeExpr expr:JsonValueExpr output:JsonOutput
  JsonTable context_item:JsonValueExpr pathspec:JsonTablePathSpec passing* columns* on_error:JsonBehavior \
    alias:Alias
  JsonTableColumn typeName:TypeName pathspec:JsonTablePathSpec format:JsonFormat columns* \
    on_empty:JsonBehavior on_error:JsonBehavior
  JsonTablePathSpec string
  JsonValueExpr raw_expr formatted_expr format:JsonFormat
  List items*
  LockingClause lockedRels*
  MergeStmt relation:RangeVar sourceRelation joinCondition mergeWhenClauses* returningClause:ReturningClause \
    withClause:WithClause
  MergeSupportFunc xpr
  MergeWhenClause condition targetList* values*
  MinMaxExpr xpr args*
  MultiAssignRef source
  NamedArgExpr xpr arg
  NullTest xpr arg
  ObjectWithArgs objname* objargs* objfuncargs*
  OnConflictClause infer:InferClause targetList* whereClause
  ParamRef
  PartitionBoundSpec listdatums* lowerdatums* upperdatums*
  PartitionCmd name:RangeVar bound:PartitionBoundSpec
  PartitionElem expr collation* opclass*
  PartitionRangeDatum value
  PartitionSpec partParams*
  RangeFunction functions* alias:Alias coldeflist*
  RangeSubselect subquery alias:Alias
  RangeTableFunc docexpr rowexpr namespaces* columns* alias:Alias
  RangeTableFuncCol typeName:TypeName colexpr coldefexpr
  RangeTableSample relation method* args* repeatable
  RangeVar alias:Alias
  ReplicaIdentityStmt
  ResTarget indirection* val
  ReturningClause options* exprs*
  ReturningOption
  RoleSpec
  RowExpr xpr args* colnames*
  SelectStmt distinctClause* intoClause:IntoClause targetList* fromClause* whereClause groupClause* \
    havingClause windowClause* valuesLists* sortClause* limitOffset limitCount lockingClause* \
    withClause:WithClause larg:SelectStmt rarg:SelectStmt
  SetToDefault xpr
  SortBy node useOp*
  SQLValueFunction xpr
  StatsElem expr
  String
  SubLink xpr testexpr operName* subselect
  TableLikeClause relation:RangeVar
  TypeCast arg typeName:TypeName
  TypeName names* typmods* arrayBounds*
  UpdateStmt relation:RangeVar targetList* whereClause fromClause* returningClause:ReturningClause \
    withClause:WithClause
  WindowDef partitionClause* orderClause* startOffset endOffset
  WithClause ctes*
  XmlExpr xpr named_args* arg_names* args*
  XmlSerialize expr typeName:TypeName
  AlterDomainStmt typeName* def
  AlterEnumStmt typeName*
  AlterPolicyStmt table:RangeVar roles* qual with_check
  AlterSeqStmt sequence:RangeVar options*
  AlterStatsStmt defnames* stxstattarget
  AlterTableStmt relation:RangeVar cmds*
  AlterTypeStmt typeName* options*
  CompositeTypeStmt typevar:RangeVar coldeflist*
  CreateDomainStmt domainname* typeName:TypeName collClause:CollateClause constraints*
  CreateEnumStmt typeName* vals*
  CreatePolicyStmt table:RangeVar roles* qual with_check
  CreateSeqStmt sequence:RangeVar options*
  CreateStatsStmt defnames* stat_types* exprs* relations*
  CreateStmt relation:RangeVar tableElts* inhRelations* partbound:PartitionBoundSpec partspec:PartitionSpec \
    ofTypename:TypeName constraints* nnconstraints* options*
  IndexStmt relation:RangeVar indexParams* indexIncludingParams* options* whereClause excludeOpNames*
  ViewStmt view:RangeVar aliases* query options*
`

/** By node, by field: `Node`, `Node[]`, or the type of the untagged node it holds. */
export const PARSE_TREE: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  NODES.trim()
    .split('\n')
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
