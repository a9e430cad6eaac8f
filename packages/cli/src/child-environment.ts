import { usage } from './failure.ts'

/** One target, as the child reaches it. */
export interface ChildTarget {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** The ticket. */
  readonly password: string
}

// What may hold the bearer token itself: a child that could read it could ask for tickets to anything.
const ALWAYS_STRIPPED = ['SALLYPORT_TOKEN', 'SALLYPORT_TOKEN_FILE']
// libpq would prefer or mix in these with what we set.
const OVERRIDDEN = [
  'PGHOSTADDR',
  'PGSERVICE',
  'PGSERVICEFILE',
  'PGPASSFILE',
  'PGOPTIONS',
  'PGREQUIRESSL',
  'PGGSSENCMODE',
]

/**
 * The child's environment: ours, without the secrets that it is not to see, and with the way to its targets. The first
 * target gets libpq's own variables and `DATABASE_URL`; every one gets `SALLYPORT_<TARGET>_URL`.
 * @param strip names of ambient variables to leave out; `AWS_*` leaves out all that begin so
 * @throws CliFailure (usage) when two targets' variable names would be the same
 */
export function childEnvironment(
  ambient: Readonly<Record<string, string | undefined>>,
  targets: readonly ChildTarget[],
  strip: readonly string[],
): Record<string, string> {
  const stripped = [...ALWAYS_STRIPPED, ...OVERRIDDEN, ...strip].map(patternOf)
  const kept = Object.entries(ambient).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !stripped.some((pattern) => pattern.test(entry[0])),
  )
  const environment = Object.fromEntries(kept)
  const [first] = targets
  if (first) Object.assign(environment, libpqVariables(first), { DATABASE_URL: urlOf(first) })
  const urls = new Map<string, string>()
  for (const target of targets) {
    const name = urlVariable(target.name)
    if (urls.has(name))
      throw usage(`two targets would both be ${name}`, 'run the command once for each of them')
    urls.set(name, urlOf(target))
  }
  return { ...environment, ...Object.fromEntries(urls) }
}

/** libpq's variables (PostgreSQL, "Environment Variables") for one target on loopback. */
function libpqVariables(target: ChildTarget): Record<string, string> {
  return {
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGDATABASE: target.database,
    PGUSER: target.user,
    PGPASSWORD: target.password,
    // On loopback, where TLS would protect nothing; it begins where the connection leaves the machine.
    PGSSLMODE: 'disable',
  }
}

/** `SALLYPORT_BILLING_DB_URL` for `billing-db`. */
export function urlVariable(target: string): string {
  return `SALLYPORT_${target.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_URL`
}

function urlOf(target: ChildTarget): string {
  const user = `${encodeURIComponent(target.user)}:${encodeURIComponent(target.password)}`
  const database = encodeURIComponent(target.database)
  return `postgresql://${user}@${target.host}:${target.port}/${database}?sslmode=disable`
}

function patternOf(name: string): RegExp {
  if (!/^[A-Za-z_][A-Za-z0-9_]*\*?$/.test(name)) {
    throw usage(
      `"${name}" is not the name of an environment variable`,
      'give a name, or its beginning and *: AWS_*',
    )
  }
  return new RegExp(name.endsWith('*') ? `^${name.slice(0, -1)}` : `^${name}$`)
}
