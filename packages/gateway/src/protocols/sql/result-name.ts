import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, nameParts, tagged, text } from './tree.ts'

const NAMED_BY_KIND: ReadonlyMap<string, string> = new Map([
  ['A_ArrayExpr', 'array'],
  ['CoalesceExpr', 'coalesce'],
  ['GroupingFunc', 'grouping'],
  ['MergeSupportFunc', 'merge_action'],
  ['RowExpr', 'row'],
  ['XmlSerialize', 'xmlserialize'],
  ['JsonParseExpr', 'json'],
  ['JsonScalarExpr', 'json_scalar'],
  ['JsonSerializeExpr', 'json_serialize'],
  ['JsonObjectConstructor', 'json_object'],
  ['JsonArrayConstructor', 'json_array'],
  ['JsonArrayQueryConstructor', 'json_array'],
  ['JsonObjectAgg', 'json_objectagg'],
  ['JsonArrayAgg', 'json_arrayagg'],
])

const JSON_FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ['JSON_EXISTS_OP', 'json_exists'],
  ['JSON_QUERY_OP', 'json_query'],
  ['JSON_VALUE_OP', 'json_value'],
])

const XML_FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ['IS_XMLCONCAT', 'xmlconcat'],
  ['IS_XMLELEMENT', 'xmlelement'],
  ['IS_XMLFOREST', 'xmlforest'],
  ['IS_XMLPARSE', 'xmlparse'],
  ['IS_XMLPI', 'xmlpi'],
  ['IS_XMLROOT', 'xmlroot'],
  ['IS_XMLSERIALIZE', 'xmlserialize'],
])

/** How PostgreSQL calls a result column that is given no name (`FigureColname`). */
export function resultName(node: unknown): string {
  return guess(node)?.name ?? '?column?'
}

/** `isWeak`: taken only where nothing better is found. */
interface Guess {
  readonly name: string
  readonly isWeak: boolean
}

function guess(node: unknown): Guess | undefined {
  const found = tagged(node)
  if (found === undefined) return undefined
  const { tag, fields } = found
  const name = nameOf(tag, fields)
  if (name !== undefined) return { name, isWeak: false }
  switch (tag) {
    case 'A_Indirection': {
      const steps = list(fields['indirection']).flatMap(
        (item) => text(nodeOf(item, 'String')?.['sval']) ?? [],
      )
      const last = steps.at(-1)
      return last === undefined ? guess(fields['arg']) : { name: last, isWeak: false }
    }
    case 'TypeCast': {
      const inner = guess(fields['arg'])
      const type = nameParts(fieldsOf(fields['typeName'])?.['names']).at(-1)
      return (inner === undefined || inner.isWeak) && type !== undefined
        ? { name: type, isWeak: true }
        : inner
    }
    case 'CollateClause':
      return guess(fields['arg'])
    case 'CaseExpr': {
      const inner = guess(fields['defresult'])
      return inner === undefined || inner.isWeak ? { name: 'case', isWeak: true } : inner
    }
    case 'SubLink':
      return ofSubLink(fields)
    default:
      return undefined
  }
}

function nameOf(tag: string, fields: Fields): string | undefined {
  switch (tag) {
    case 'ColumnRef':
      return list(fields['fields'])
        .flatMap((item) => text(nodeOf(item, 'String')?.['sval']) ?? [])
        .at(-1)
    case 'FuncCall':
      return nameParts(fields['funcname']).at(-1)
    case 'A_Expr':
      return fields['kind'] === 'AEXPR_NULLIF' ? 'nullif' : undefined
    case 'MinMaxExpr':
      return fields['op'] === 'IS_LEAST' ? 'least' : 'greatest'
    case 'SQLValueFunction':
      return /^SVFOP_(\w+?)(_N)?$/.exec(text(fields['op']) ?? '')?.[1]?.toLowerCase()
    case 'XmlExpr':
      return XML_FUNCTIONS.get(text(fields['op']) ?? '')
    case 'JsonFuncExpr':
      return JSON_FUNCTIONS.get(text(fields['op']) ?? '')
    default:
      return NAMED_BY_KIND.get(tag)
  }
}

function ofSubLink(fields: Fields): Guess | undefined {
  switch (text(fields['subLinkType']) ?? '') {
    case 'EXISTS_SUBLINK':
      return { name: 'exists', isWeak: false }
    case 'ARRAY_SUBLINK':
      return { name: 'array', isWeak: false }
    case 'EXPR_SUBLINK': {
      let select = nodeOf(fields['subselect'], 'SelectStmt')
      for (let left = fieldsOf(select?.['larg']); left !== undefined; left = fieldsOf(left['larg']))
        select = left
      const first = nodeOf(list(select?.['targetList'])[0], 'ResTarget')
      const name = text(first?.['name'])
      if (name !== undefined) return { name, isWeak: false }
      if (select?.['valuesLists'] !== undefined) return { name: 'column1', isWeak: false }
      return guess(first?.['val'])
    }
    default:
      return undefined
  }
}
