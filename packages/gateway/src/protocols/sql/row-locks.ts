import type { CommonTableNames } from './common-table-names.ts'
import { openWith } from './common-table-names.ts'
import type { RelationName } from './reading.ts'
import { relationName } from './relation-name.ts'
import type { Fields } from './tree.ts'
import { fieldsOf, list, nodeOf, tagged, text } from './tree.ts'

/**
 * The relations whose rows FOR UPDATE, FOR SHARE and the like lock, for which PostgreSQL asks for the UPDATE privilege
 * (SELECT, "The Locking Clause"). Without `OF` that is all in FROM, those of subqueries there included. A name that
 * is no relation's may be a subquery's: then everything in FROM counts.
 */
export function lockedRelations(
  clause: Fields,
  select: Fields,
  scope: CommonTableNames,
): readonly RelationName[] {
  const all = relationsIn(select, scope)
  const names = list(clause['lockedRels']).map((item) => text(nodeOf(item, 'RangeVar')?.['relname']))
  if (names.length === 0) return all.map(({ relation }) => relation)
  const isKnown = (name: string | undefined) => all.some(({ alias }) => alias === name)
  if (!names.every(isKnown)) return all.map(({ relation }) => relation)
  return all.filter(({ alias }) => names.includes(alias)).map(({ relation }) => relation)
}

interface Aliased {
  readonly relation: RelationName
  readonly alias: string
}

function relationsIn(select: Fields, scope: CommonTableNames): readonly Aliased[] {
  const arms = [select['larg'], select['rarg']].flatMap((item) => {
    const arm = fieldsOf(item)
    return arm ? relationsIn(arm, openWith(arm['withClause'], scope).inside) : []
  })
  return [...arms, ...list(select['fromClause']).flatMap((item) => relationsOf(item, scope))]
}

function relationsOf(item: unknown, scope: CommonTableNames): readonly Aliased[] {
  const node = tagged(item)
  if (node === undefined) return []
  const { tag, fields } = node
  if (tag === 'JoinExpr')
    return [...relationsOf(fields['larg'], scope), ...relationsOf(fields['rarg'], scope)]
  if (tag === 'RangeTableSample') return relationsOf(fields['relation'], scope)
  if (tag === 'RangeSubselect') {
    const inner = nodeOf(fields['subquery'], 'SelectStmt')
    if (inner === undefined) return []
    // Its own aliases cannot be named from outside.
    return relationsIn(inner, openWith(inner['withClause'], scope).inside).map((found) => ({
      ...found,
      alias: '',
    }))
  }
  const relation = tag === 'RangeVar' ? relationName(fields) : undefined
  if (relation === undefined || (relation.schema === undefined && scope.has(relation.name))) return []
  return [{ relation, alias: text(fieldsOf(fields['alias'])?.['aliasname']) ?? relation.name }]
}
