/** What changing a run-time setting means: nothing that policy cares about, a `set`, or more than may pass unseen. */
export type SettingChange =
  | { readonly kind: 'harmless' }
  | { readonly kind: 'set' }
  | { readonly kind: 'refused'; readonly because: string }

const HARMLESS: SettingChange = { kind: 'harmless' }

/**
 * Settings that every driver and pool sets, and that change neither privileges nor what a statement's text means.
 * `row_security = off` is among them because it shows nobody more: queries that a policy would filter fail instead.
 */
const HARMLESS_SETTINGS: ReadonlySet<string> = new Set([
  'application_name',
  'check_function_bodies',
  'client_min_messages',
  'datestyle',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'escape_string_warning',
  'extra_float_digits',
  'geqo',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'jit',
  'lock_timeout',
  'quote_all_identifiers',
  'restrict_nonsystem_relation_kind',
  'row_security',
  'statement_timeout',
  'synchronize_seqscans',
  'timezone',
  'transaction_deferrable',
  'transaction_isolation',
  'transaction_timeout',
  'xmloption',
])

/** Settings with one safe value (or a few), because any other changes what the gateway has read or decided. */
const PINNED_SETTINGS: ReadonlyMap<string, { readonly safe: readonly string[]; readonly because: string }> =
  new Map([
    ['role', { safe: [], because: 'it would act as another role' }],
    ['session_authorization', { safe: [], because: 'it would act as another role' }],
    [
      'standard_conforming_strings',
      { safe: ['on', 'true', 'yes', '1'], because: 'backslashes would then change where a string ends' },
    ],
    ['backslash_quote', { safe: ['off', 'safe_encoding'], because: 'it would change where a string ends' }],
    [
      'client_encoding',
      { safe: ['utf8', 'utf-8', 'unicode'], because: 'the gateway reads statements as UTF-8 only' },
    ],
    ['bytea_output', { safe: ['hex'], because: 'masks know binary values in that form only' }],
    [
      'default_transaction_read_only',
      { safe: ['on', 'true', 'yes', '1'], because: 'whether a session may write is for policy to say' },
    ],
    [
      'transaction_read_only',
      { safe: ['on', 'true', 'yes', '1'], because: 'whether a session may write is for policy to say' },
    ],
    [
      'session_replication_role',
      { safe: ['origin'], because: 'triggers and foreign keys would not be checked' },
    ],
    [
      'transform_null_equals',
      { safe: ['off', 'false', 'no', '0'], because: 'it changes what a WHERE means' },
    ],
    ['session_preload_libraries', { safe: [], because: 'it would load code into the server' }],
    ['local_preload_libraries', { safe: [], because: 'it would load code into the server' }],
    ['dynamic_library_path', { safe: [], because: 'it would load code into the server' }],
    ['lo_compat_privileges', { safe: [], because: 'large objects would be open to everybody' }],
    ['allow_system_table_mods', { safe: [], because: 'it opens the system catalogs to changes' }],
  ])

/**
 * What `SET name = value` means. `value` is undefined for RESET and SET … TO DEFAULT, which go back to what the session
 * began with: the gateway's own choice, except that nobody may meddle with roles at all.
 */
export function changeSetting(name: string, value: string | undefined): SettingChange {
  const setting = name.toLowerCase()
  const pinned = PINNED_SETTINGS.get(setting)
  if (pinned) {
    const isRole = setting === 'role' || setting === 'session_authorization'
    const isSafe = value === undefined ? !isRole : pinned.safe.includes(value.trim().toLowerCase())
    return isSafe ? HARMLESS : { kind: 'refused', because: `it changes ${setting}: ${pinned.because}` }
  }
  return HARMLESS_SETTINGS.has(setting) ? HARMLESS : { kind: 'set' }
}
