import type { Action } from '../access/model.ts'

/** What may be asked of the gateway itself, on `Gateway::"sallyport"`. All are in the group `administer`. */
export const ADMIN_ACTIONS = [
  'viewSessions',
  'killSession',
  'viewLeases',
  'revokeLease',
  'applyResources',
  'viewAudit',
  'simulate',
  'explain',
] as const
export type AdminAction = (typeof ADMIN_ACTIONS)[number]

/** The groups an action belongs to. The schema below says the same; a test keeps the two together. */
export const ACTION_GROUPS: Readonly<Partial<Record<Action | AdminAction, string>>> = {
  connect: 'session',
  select: 'read',
  insert: 'write',
  update: 'write',
  delete: 'write',
  merge: 'write',
  truncate: 'write',
  create: 'ddl',
  alter: 'ddl',
  drop: 'ddl',
  grant: 'dcl',
  revoke: 'dcl',
  viewSessions: 'administer',
  killSession: 'administer',
  viewLeases: 'administer',
  revokeLease: 'administer',
  applyResources: 'administer',
  viewAudit: 'administer',
  simulate: 'administer',
  explain: 'administer',
}

/**
 * The vocabulary of every policy, in Cedar's schema language (docs.cedarpolicy.com/schema). `docs/reference/policy.md`
 * explains it to policy authors.
 *
 * Database, Schema, Table and Column have no attributes, and their tags are those of their target. `capabilityFor` relies on
 * it: two tables of one schema that no policy names cannot be told apart by any policy, nor can two columns of a table but
 * by their data classes.
 */
export const CEDAR_SCHEMA = `
entity Group;
entity User in [Group] { issuer: String, subject: String } tags String;
entity Agent, Service in [Group] { issuer: String, subject: String, actingFor?: User } tags String;

entity Target { protocol: String } tags String;
entity Database in [Target] tags String;
entity Schema in [Database] tags String;
entity Table in [Schema] tags String;
entity DataClass in [DataClass];
entity Column in [Table, DataClass] tags String;
entity Gateway;

type Statement = {
  hasWhere: Bool,
  whereIsTrivial: Bool,
  functions: Set<String>,
  multi: Bool,
  limit?: Long,
  locksRows: Bool,
  readOnly: Bool,
  reading: String,
};
type Time = {
  at: datetime,
  epochSeconds: Long,
  year: Long,
  month: Long,
  day: Long,
  hour: Long,
  minute: Long,
  weekday: Long,
};
type Session = { id: String };
type Usage = { statements: Long, rows: Long, denials: Long };
type Approval = {
  id: String,
  approvedBy: Set<String>,
  groups: Set<String>,
  quorum: Long,
  at: datetime,
};
type Connecting = {
  statement?: Statement,
  time: Time,
  sourceIp: ipaddr,
  purpose?: String,
  via: String,
  session: Session,
  lastMinute: Usage,
  lastHour: Usage,
  approval?: Approval,
};
type Operating = {
  statement: Statement,
  time: Time,
  sourceIp: ipaddr,
  purpose?: String,
  via: String,
  session: Session,
  lastMinute: Usage,
  lastHour: Usage,
  approval?: Approval,
};
type Inferring = {
  inference: String,
  statement: Statement,
  time: Time,
  sourceIp: ipaddr,
  purpose?: String,
  via: String,
  session: Session,
  lastMinute: Usage,
  lastHour: Usage,
  approval?: Approval,
};
type Administering = { time: Time, sourceIp: ipaddr, purpose?: String, via: String };

action session, read, write, ddl, dcl, administer;

action connect in [session]
  appliesTo { principal: [User, Agent, Service], resource: [Target], context: Connecting };

action select in [read]
  appliesTo { principal: [User, Agent, Service], resource: [Database, Schema, Table, Column], context: Operating };
action insert, update in [write]
  appliesTo { principal: [User, Agent, Service], resource: [Database, Schema, Table, Column], context: Operating };
action delete, merge, truncate in [write]
  appliesTo { principal: [User, Agent, Service], resource: [Database, Schema, Table], context: Operating };

action create, alter, drop in [ddl]
  appliesTo { principal: [User, Agent, Service], resource: [Target, Database, Schema, Table], context: Operating };
action grant, revoke in [dcl]
  appliesTo { principal: [User, Agent, Service], resource: [Target, Database, Schema, Table], context: Operating };

action call, set, listen, notify
  appliesTo { principal: [User, Agent, Service], resource: [Target, Database, Schema], context: Operating };
action copyIn, copyOut, lock, maintain
  appliesTo { principal: [User, Agent, Service], resource: [Database, Schema, Table], context: Operating };

action reveal
  appliesTo { principal: [User, Agent, Service], resource: [DataClass], context: Operating };
action infer
  appliesTo { principal: [User, Agent, Service], resource: [DataClass], context: Inferring };

action viewSessions, killSession, viewLeases, revokeLease, applyResources, viewAudit, simulate, explain in [administer]
  appliesTo { principal: [User, Agent, Service], resource: [Gateway], context: Administering };
`
