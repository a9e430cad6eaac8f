/** The schemas in which bare names are looked for, in order. Names in which PostgreSQL finds no schema are left out. */
export type SearchPath = readonly string[]

/**
 * What is certain of how the target will understand bare names. Where more than one thing is possible, a name must be
 * permitted under each.
 */
export interface BareNames {
  /** Differs whenever anything below does; empty for a session in its first state. */
  readonly key: string
  /** One of these is in force when the text begins to run. At least one. */
  readonly paths: readonly SearchPath[]
  /** As well as those, each of these may be in force once a statement of the same text has ended a transaction. */
  readonly fallbacks: readonly SearchPath[]
  /** Relations that this session may have made as temporary ones: where such a name is bare, it can mean those. */
  readonly temporary: readonly string[]
}

/** What a statement may do to how bare names are understood. */
export interface NameChanges {
  /** Values of `search_path` that it may put in force. `session-start`: the one the session began with. */
  readonly paths: readonly (SearchPath | 'session-start')[]
  /** It runs code that the gateway cannot read, and that can set anything. */
  readonly mayChangePath: boolean
  /** It ends a transaction or goes back to a savepoint: what was set since then is undone. */
  readonly mayRevert: boolean
  /** Names of temporary relations that it makes. */
  readonly temporary: readonly string[]
}

/**
 * A value of `search_path`, as SET stores it and SHOW shows it, taken apart as PostgreSQL does (`SplitIdentifierString`).
 * `"$user"` is left out: the roles of sessions are made by the gateway, and no schema bears their names. So is "", which
 * no schema can be called.
 * @returns undefined where PostgreSQL would say that the list syntax is invalid
 */
export function parseSearchPath(value: string): SearchPath | undefined {
  if (value.trim() === '') return []
  const path: string[] = []
  const item = /[ \t\n\r\f\v]*(?:"((?:[^"]|"")*)"|([^", \t\n\r\f\v]+))[ \t\n\r\f\v]*(,|$)/y
  for (let ended = false; !ended; ) {
    const found = item.exec(value)
    if (found === null) return undefined
    const [, quoted, plain, separator] = found
    path.push(quoted === undefined ? lowerCased(plain ?? '') : quoted.replaceAll('""', '"'))
    ended = separator === ''
    if (!ended && item.lastIndex === value.length) return undefined
  }
  return path.filter((schema) => schema !== '$user' && schema !== '')
}

/** The value to be set so that this path is in force. */
export function formatSearchPath(path: SearchPath): string {
  return path.map((schema) => `"${schema.replaceAll('"', '""')}"`).join(', ')
}

/** PostgreSQL folds ASCII letters only, in UTF-8 databases. */
function lowerCased(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** The names of a session that has set nothing. */
export function usualNames(path: SearchPath): BareNames {
  return { key: '', paths: [path], fallbacks: [path], temporary: [] }
}
