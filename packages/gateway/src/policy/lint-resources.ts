import type { Catalog } from '../access/catalog.ts'
import { didYouMean } from '../access/did-you-mean.ts'
import { partsOf, tableOfColumn } from './entity-ids.ts'
import { usesOf } from './policy-uses.ts'
import type { Policy } from './read-policies.ts'
import { positionAt } from './resource-problem.ts'
import type { ResourceProblem } from './resource-problem.ts'
import type { Resources } from './resources.ts'

/** Something that is valid, and probably not what was meant. */
export type LintFinding = ResourceProblem

/** What a lint knows of a target beyond its definition; left out: nothing, so that nothing is missed. */
export type KnownCatalogs = ReadonlyMap<string, Catalog>

/**
 * Looks for what is valid and does nothing, or not what its author believes: names of targets, tables, columns and classes
 * that are nowhere else, and policies that can never apply to a column.
 */
export function lintResources(resources: Resources, catalogs: KnownCatalogs): readonly LintFinding[] {
  return [
    ...resources.policies.flatMap((policy) => lintPolicy(policy, resources, catalogs)),
    ...lintFields(resources, catalogs),
  ].toSorted((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1))
}

function lintPolicy(policy: Policy, resources: Resources, catalogs: KnownCatalogs): LintFinding[] {
  const found: LintFinding[] = []
  const say = (name: string, message: string, hint?: string): void => {
    const { line, column } = positionAt(policy.text, Math.max(0, policy.text.indexOf(name)))
    const problem = { path: policy.path, line: policy.line + line - 1, column, message }
    found.push(hint === undefined ? problem : { ...problem, hint })
  }
  const { entities } = usesOf(policy.json)
  const classes = classNames(resources)
  for (const entity of entities) {
    const at = entity.indexOf('::')
    const [type, id] = [entity.slice(0, at), entity.slice(at + 2)]
    const written = JSON.stringify(id)
    if (type === 'DataClass' && !classes.has(id)) {
      say(written, `no field is of the data class "${id}"`, didYouMean(id, classes))
    }
    if (!['Target', 'Database', 'Schema', 'Table', 'Column'].includes(type)) continue
    const parts = partsOf(id)
    const wanted = { Target: 0, Database: 1, Schema: 1, Table: 2, Column: 3 }[type]
    if (parts === undefined || parts.parts.length !== wanted) {
      say(written, `${type}::${written} is no id of a ${type}, so that it is nobody’s`, SHAPES[type])
      continue
    }
    const target = resources.targets.get(parts.target)
    if (target === undefined) {
      say(written, `there is no target "${parts.target}"`, didYouMean(parts.target, resources.targets.keys()))
      continue
    }
    const [first] = parts.parts
    if (type === 'Database' && first !== target.database) {
      say(written, `the database of ${target.name} is "${target.database}"`)
    }
    const catalog = catalogs.get(target.name)
    if (catalog !== undefined)
      missingIn(catalog, type, parts.parts).forEach(([what, hint]) => say(written, what, hint))
  }
  const scope = policy.json.resource
  const table = scope.op === '==' && 'entity' in scope ? idOf(scope.entity) : undefined
  const named = [...entities].filter((entity) => entity.startsWith('Column::'))
  if (
    table?.type === 'Table' &&
    named.some((one) => tableOfColumn(one.slice('Column::'.length))?.table === table.id)
  ) {
    const hint = `write resource in Table::${JSON.stringify(table.id)}`
    say(
      JSON.stringify(table.id),
      'its scope is the table itself, so that what it says of columns never applies',
      hint,
    )
  }
  return found
}

const SHAPES: Readonly<Record<string, string>> = {
  Target: 'write Target::"shop"',
  Database: 'write Database::"shop/shop": target, slash, database',
  Schema: 'write Schema::"shop/public": target, slash, schema',
  Table: 'write Table::"shop/public.orders": target, slash, schema, dot, table',
  Column: 'write Column::"shop/public.orders.total": target, slash, schema, dot, table, dot, column',
}

function missingIn(
  catalog: Catalog,
  type: string,
  [schema = '', table = '', column = '']: readonly string[],
): (readonly [string, string | undefined])[] {
  if (type === 'Database' || type === 'Target') return []
  if (isSystem(schema)) return []
  if (!catalog.schemas.includes(schema)) {
    return [[`the target has no schema "${schema}"`, didYouMean(schema, catalog.schemas)]]
  }
  if (type === 'Schema') return []
  const inSchema = catalog.relations.filter((relation) => relation.schema === schema)
  const relation = inSchema.find(({ name }) => name === table)
  if (relation === undefined) {
    const names = inSchema.map(({ name }) => name)
    return [[`the target has no table ${schema}.${table}`, didYouMean(table, names)]]
  }
  if (type === 'Table') return []
  const names = relation.columns.map(({ name }) => name)
  if (names.includes(column)) return []
  return [[`${schema}.${table} has no column "${column}"`, didYouMean(column, names)]]
}

function lintFields(resources: Resources, catalogs: KnownCatalogs): LintFinding[] {
  const found: LintFinding[] = []
  for (const { value, problem } of resources.located) {
    const catalog = catalogs.get(value.target)
    for (const [i, { field, class: name }] of value.fields.entries()) {
      const { dataClasses } = resources
      if (dataClasses.size > 0 && !dataClasses.has(name)) {
        const hint = didYouMean(name, dataClasses.keys()) ?? 'add a DataClass resource, or leave it at that'
        found.push(
          problem(
            ['fields', i, 'class'],
            `there is no DataClass "${name}": its values are masked as those of the class it is in, or redacted`,
            hint,
          ),
        )
      }
      if (catalog === undefined) continue
      const parts = [field.schema, field.table, field.column]
      for (const [what, hint] of missingIn(catalog, 'Column', parts)) {
        found.push(problem(['fields', i, 'field'], what, hint))
      }
      const relation = catalog.relations.find(
        (one) => one.schema === field.schema && one.name === field.table,
      )
      if (relation?.kind === 'view') {
        const message = `${field.schema}.${field.table} is a view: in the tables that it reads the same values stay clear`
        found.push(
          problem(
            ['fields', i, 'field'],
            message,
            'classify their columns instead; the view’s are then hidden with them',
          ),
        )
      }
      const type = relation?.columns.find((column) => column.name === field.column)?.type
      if (field.path !== undefined && type !== undefined && !/^jsonb?$/.test(type)) {
        const message = `${field.column} is ${type}, and not JSON: all of it is masked`
        found.push(problem(['fields', i, 'field'], message))
      }
    }
  }
  return found
}

function classNames({ classifications, dataClasses }: Resources): ReadonlySet<string> {
  const names = new Set<string>(['unlisted'])
  for (const name of [
    ...dataClasses.keys(),
    ...[...dataClasses.values()].flatMap((one) => one.in ?? []),
    ...classifications.flatMap(({ fields }) => fields.map((field) => field.class)),
  ]) {
    // `pii.email` is in `pii`, whether or not that is a resource.
    for (let here = name; here !== ''; here = here.slice(0, Math.max(0, here.lastIndexOf('.'))))
      names.add(here)
  }
  return names
}

function idOf(entity: { __entity: { type: string; id: string } } | { type: string; id: string }) {
  return '__entity' in entity ? entity.__entity : entity
}

function isSystem(schema: string): boolean {
  return schema.startsWith('pg_') || schema === 'information_schema'
}
