import { randomBytes } from 'node:crypto'
import type { Target } from '../../access/model.ts'
import { type IssuerConnections, Undo } from './credentials-connections.ts'
import { issuerError, sqlstateOf } from './credentials-errors.ts'
import { identifier } from './credentials-names.ts'

/** `GRANT … TO role` with INHERIT, and pg_signal_backend that ends any session not a superuser's. */
const OLDEST = 150_000
const MAX_NAMED = 5

export interface IssuerFinding {
  readonly step: string
  readonly ok: boolean
  readonly detail: string
  readonly mend?: string
}

interface Account {
  readonly name: string
  readonly super: boolean
  readonly createrole: boolean
  readonly inherit: boolean
  readonly signals: boolean
  readonly version: number
  readonly shown: string
  readonly encryption: string
  readonly encrypted: boolean
}

interface SchemaGrants {
  readonly schema: string
  readonly usage: boolean
  readonly relations: number
  readonly grantable: number
  /** Names of some of the others. */
  readonly without: readonly string[]
}

const ACCOUNT = `
SELECT r.rolname AS name, r.rolsuper AS super, r.rolcreaterole AS createrole, r.rolinherit AS inherit,
  pg_has_role('pg_signal_backend', 'USAGE') AS signals,
  current_setting('server_version_num')::int AS version, current_setting('server_version') AS shown,
  current_setting('password_encryption') AS encryption,
  coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false) AS encrypted
FROM pg_roles r WHERE r.rolname = current_user`

const GRANTABLE = `
SELECT n.nspname AS schema, bool_or(has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')
    OR EXISTS (
      SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'USAGE')) AS usage,
  count(c.oid)::int AS relations,
  count(c.oid) FILTER (WHERE has_table_privilege(c.oid, 'SELECT WITH GRANT OPTION'))::int AS grantable,
  coalesce((array_agg(c.relname::text ORDER BY c.relname)
    FILTER (WHERE NOT has_table_privilege(c.oid, 'SELECT WITH GRANT OPTION'))
    )[1:${MAX_NAMED}], '{}') AS without
FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY n.nspname ORDER BY n.nspname`

/**
 * Tries everything that the issuer's account must be able to do, and changes nothing. Steps that cannot be
 * tried because an earlier one failed are left out.
 */
export async function checkIssuer(
  target: Target,
  connections: IssuerConnections,
  signal: AbortSignal,
): Promise<readonly IssuerFinding[]> {
  let account: Account | undefined
  try {
    account = (await connections.query<Account>(ACCOUNT, signal))[0]
  } catch (error) {
    const failure = issuerError(target, 'log in', error)
    return [{ step: 'connect', ok: false, detail: failure.message, ...mend(failure.hint) }]
  }
  if (account === undefined) return []
  const findings = accountFindings(target, account)
  if (account.createrole || account.super) {
    findings.push(await rehearse(connections, account, signal))
  }
  const grantable = await connections.query<SchemaGrants>(GRANTABLE, signal)
  findings.push(...grantable.map((row) => grantFinding(account.name, row)))
  if (grantable.length === 0) {
    findings.push({ step: 'grants', ok: true, detail: `the database ${target.database} has no tables yet` })
  }
  return findings
}

function accountFindings(target: Target, account: Account): IssuerFinding[] {
  const name = identifier(account.name)
  const { host, port } = target.address
  return [
    {
      step: 'connect',
      ok: true,
      detail: `logged in to ${host}:${port} ${account.encrypted ? 'with' : 'without'} TLS`,
    },
    able(
      'version',
      account.version >= OLDEST,
      `PostgreSQL ${account.shown}`,
      `PostgreSQL ${account.shown} is older than 15`,
      'upgrade the target to PostgreSQL 15 or later',
    ),
    able(
      'not-superuser',
      !account.super,
      'the account is no superuser',
      'the account is a superuser: whoever takes the gateway over has the whole server',
      `ALTER ROLE ${name} NOSUPERUSER CREATEROLE`,
    ),
    able(
      'createrole',
      account.createrole || account.super,
      'the account may make roles',
      'the account may not make roles',
      `ALTER ROLE ${name} CREATEROLE`,
    ),
    able(
      'inherit',
      account.inherit,
      'the account can act for the roles it makes',
      'the account cannot remove what a temporary role leaves behind',
      `ALTER ROLE ${name} INHERIT`,
    ),
    able(
      'terminate',
      account.signals,
      'the account may end sessions',
      'the account may not end the sessions of a lease that is revoked',
      `GRANT pg_signal_backend TO ${name}`,
    ),
    able(
      'password-encryption',
      account.encryption === 'scram-sha-256',
      'passwords are kept as SCRAM verifiers',
      "passwords of the target's other roles are kept as MD5 hashes; temporary roles are not affected",
      "ALTER SYSTEM SET password_encryption = 'scram-sha-256'; SELECT pg_reload_conf()",
    ),
  ]
}

/** @param sql what mends it when it is not so */
function able(step: string, ok: boolean, yes: string, no: string, sql: string): IssuerFinding {
  return ok ? { step, ok, detail: yes } : { step, ok, detail: no, mend: sql }
}

/**
 * Makes a role, joins it, and takes it all back: what the catalog says and what the server does can differ.
 */
async function rehearse(
  connections: IssuerConnections,
  account: Account,
  signal: AbortSignal,
): Promise<IssuerFinding> {
  const role = identifier(`sp_check_${randomBytes(8).toString('hex')}`)
  try {
    await connections.transaction(signal, async (query) => {
      await query(`CREATE ROLE ${role} NOLOGIN`)
      await query(`GRANT ${role} TO CURRENT_USER`)
      await query(`DROP OWNED BY ${role}`)
      await query(`DROP ROLE ${role}`)
      throw new Undo()
    })
  } catch (error) {
    if (!(error instanceof Undo)) {
      const name = identifier(account.name)
      const said = error instanceof Error ? error.message : String(error)
      const sql = sqlstateOf(error) === '42501' ? mend(`ALTER ROLE ${name} CREATEROLE INHERIT`) : {}
      return { step: 'rehearsal', ok: false, detail: `making and removing a role failed: ${said}`, ...sql }
    }
  }
  return { step: 'rehearsal', ok: true, detail: 'a role was made and removed' }
}

function grantFinding(account: string, row: SchemaGrants): IssuerFinding {
  const { schema, relations, grantable, without } = row
  const step = `grants:${schema}`
  const to = `TO ${identifier(account)} WITH GRANT OPTION`
  if (!row.usage) {
    return {
      step,
      ok: false,
      detail: `the account may not pass on USAGE on the schema ${schema}: no session can use its tables`,
      mend: `GRANT USAGE ON SCHEMA ${identifier(schema)} ${to}`,
    }
  }
  if (grantable === relations)
    return { step, ok: true, detail: `SELECT on all ${relations} relations can be passed on` }
  const names = without.join(', ')
  return {
    step,
    // Leaving a table out is how its owner keeps it from everybody behind the gateway; leaving out all is a
    // mistake.
    ok: grantable > 0,
    detail: `SELECT on ${relations - grantable} of ${relations} relations cannot be passed on: ${names}`,
    mend: `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${identifier(schema)} ${to}`,
  }
}

function mend(sql: string | undefined): { mend: string } | Record<string, never> {
  return sql === undefined ? {} : { mend: sql }
}
