/**
 * Writes `packages/gateway/src/protocols/sql/harmless-functions.ts` from real PostgreSQL catalogs: give it the URL of
 * one server per version that the gateway supports, oldest and newest at least.
 *
 *   node test/generate/harmless-functions.ts postgres://…:5415/postgres postgres://…:5418/postgres
 *
 * A name is harmless when every function of that name is, in every server that has it.
 */
import { writeFileSync } from 'node:fs'
import { Client } from 'pg'

/** Immutable or stable by declaration, and still able to read, or do, what the statement's text does not show. */
const NOT_HARMLESS: readonly (readonly [RegExp, string])[] = [
  [/^(query|cursor|table|schema|database)_to_xml/, 'runs query text, or reads a relation named in a value'],
  [/^ts_(stat|rewrite)$/, 'runs query text'],
  [/^currtid/, 'reads a row of a relation named in a value'],
  [/^(lo_|lo(read|write)$)/, 'large objects, which have no relation that policy could name'],
  [/^pg_(read_|ls_|stat_file|current_logfile|hba_|ident_|show_all_file)/, "the server's files"],
  [/^pg_(config$|available_extension|extension_update_paths)/, "the server's files"],
  [/^pg_mcv_list_items$/, 'values out of columns, as statistics keep them'],
  [/^pg_event_trigger_/, 'for code that runs inside event triggers'],
  [/^pg_(get_)?replication_/, 'the state of replication'],
  [/^binary_upgrade_/, 'for pg_upgrade'],
]

/** Volatile by declaration, and harmless nevertheless. */
const HARMLESS_ANYWAY: readonly (readonly [RegExp, string])[] = [
  [/^(clock_timestamp|timeofday|current_query)$/, 'tells about the moment'],
  [/^(random|random_normal|gen_random_uuid|uuidv4|uuidv7|array_sample|array_shuffle)$/, 'a random value'],
  [/^(currval|lastval)$/, "what this session's own nextval gave"],
  [/^pg_(relation|table|total_relation|indexes|database|tablespace)_size$/, 'a size'],
  [/^pg_(is_in_recovery|jit_available|xact_status|blocking_pids)$|^txid_status$/, 'a state'],
  [/^pg_partition_(ancestors|tree)$/, 'the catalog'],
  [/^pg_(database_)?collation_actual_version$/, 'the catalog'],
  [/^pg_(sequence_last_value|get_sequence_data)$/, 'the catalog, with its own check of privileges'],
  [/^pg_(advisory_unlock_all|stat_clear_snapshot)$/, "gives back this session's own; poolers send it"],
]

/** Nobody calls these by name: they belong to types, indexes, triggers and languages. */
const INNER_TYPES = `internal cstring trigger event_trigger language_handler fdw_handler index_am_handler
  table_am_handler tsm_handler pg_ddl_command`.split(/\s+/)

/** `pg_proc.provolatile`, from the least to the most. */
const VOLATILITIES = 'isv'

const harmless = new Map<string, boolean>()
const volatility = new Map<string, number>()
for (const url of process.argv.slice(2)) {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ name: string; volatile: string; stable: boolean; inner: boolean }>(
    `SELECT CASE nspname WHEN 'pg_catalog' THEN '' ELSE nspname || '.' END || proname AS name, provolatile AS volatile,
            provolatile <> 'v' AND prokind IN ('f', 'a', 'w') AS stable,
            prokind <> 'a' AND (prorettype::regtype::text = ANY($1)
              OR EXISTS (SELECT FROM unnest(proargtypes) t WHERE t::regtype::text = ANY($1))) AS inner
       FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
      WHERE nspname IN ('pg_catalog', 'information_schema')`,
    [INNER_TYPES],
  )
  await client.end()
  for (const { name, volatile, stable, inner } of rows) {
    const named = (list: readonly (readonly [RegExp, string])[]) =>
      list.some(([pattern]) => pattern.test(name))
    const ok = !inner && !named(NOT_HARMLESS) && (stable || named(HARMLESS_ANYWAY))
    harmless.set(name, ok && (harmless.get(name) ?? true))
    volatility.set(name, Math.max(VOLATILITIES.indexOf(volatile), volatility.get(name) ?? 0))
  }
}

const names = [...harmless]
  .filter(([, ok]) => ok)
  .map(([name]) => name)
  .toSorted()
if (names.length < 1500) throw new Error(`only ${names.length} names: give it the servers' URLs`)
function listOf(volatile: number): string {
  const lines: string[] = []
  for (const name of names.filter((one) => volatility.get(one) === volatile)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + name.length < 108) lines[lines.length - 1] = `${last} ${name}`
    else lines.push(`  ${name}`)
  }
  return lines.join('\n')
}

writeFileSync(
  new URL('../../packages/gateway/src/protocols/sql/harmless-functions.ts', import.meta.url),
  `// Made by test/generate/harmless-functions.ts, which holds the rules and their reasons: change it there.

/**
 * PostgreSQL's own functions that change nothing, run no text and read nothing but their arguments and the catalog.
 * Without a schema: those of pg_catalog, which is searched before any schema of a user's, so that a bare name means them.
 */
export const HARMLESS_FUNCTIONS: ReadonlyMap<string, 'immutable' | 'stable' | 'volatile'> = new Map([
  ...names(
    'immutable',
    \`
${listOf(0)}
\`,
  ),
  ...names(
    'stable',
    \`
${listOf(1)}
\`,
  ),
  ...names(
    'volatile',
    \`
${listOf(2)}
\`,
  ),
])

function names<const T>(volatility: T, list: string): readonly (readonly [string, T])[] {
  return list
    .trim()
    .split(/\\s+/)
    .map((name) => [name, volatility] as const)
}
`,
)
