import type { SecureContext } from 'node:tls'
import type { Duplex } from 'node:stream'
import type { Catalog } from '../../access/catalog.ts'
import type { Obligation, StatementReading, Target } from '../../access/model.ts'
import type {
  ApprovalSubject,
  Credential,
  CredentialIssuer,
  Downstream,
  Greeting,
  Guard,
  ProtocolAdapter,
  StatementPreview,
  Upstream,
} from '../contract.ts'
import { CancelKeys } from './cancel-keys.ts'
import type { CountQuery } from '../sql/count-query.ts'
import type { Question } from './parser.ts'
import { previewStatement } from './preview-statement.ts'
import { relay } from './relay.ts'
import { PostgresDownstream, PostgresServer } from './server.ts'
import { SessionNames } from './session-names.ts'
import { shapeKey } from './shape-key.ts'
import { type SqlReader, StatementCache } from './statement-cache.ts'
import { connectUpstream, PostgresUpstream } from './upstream.ts'

export interface PostgresAdapterOptions {
  /** The certificate that is shown to clients. */
  readonly tls: SecureContext
  readonly reader: SqlReader & {
    /** The query that counts the rows which a statement would touch. */
    countQuery(question: Question): Promise<CountQuery>
  }
  readonly issuerFor: (target: Target) => CredentialIssuer
}

/** PostgreSQL's frontend/backend protocol 3.0, both ends. */
export class PostgresAdapter implements ProtocolAdapter {
  readonly protocol = 'postgres'
  readonly discharges: ReadonlySet<Obligation['kind']> = new Set(['record'])
  readonly issuerFor: (target: Target) => CredentialIssuer
  readonly #server: PostgresServer
  readonly #reader: PostgresAdapterOptions['reader']
  /** Names mean something else on every target. */
  readonly #statements = new Map<string, StatementCache>()

  constructor(options: PostgresAdapterOptions) {
    this.#server = new PostgresServer(options.tls, new CancelKeys())
    this.#reader = options.reader
    this.issuerFor = options.issuerFor
  }

  greet(client: Duplex, signal: AbortSignal): Promise<Greeting | undefined> {
    return this.#server.greet(client, signal)
  }

  connect(
    target: Target,
    credential: Credential | Promise<Credential>,
    signal: AbortSignal,
    searchPath?: readonly string[],
  ): Promise<Upstream> {
    return connectUpstream(target, credential, signal, searchPath)
  }

  relay(client: Downstream, upstream: Upstream, guard: Guard): Promise<'client' | 'target'> {
    if (!(client instanceof PostgresDownstream) || !(upstream instanceof PostgresUpstream)) {
      throw new TypeError('these are not both ends of a PostgreSQL session')
    }
    return relay(client, upstream, guard, this.#statementsOf(guard.target), guard.sessionId)
  }

  async preview(
    subject: ApprovalSubject,
    upstream: Upstream,
    catalog: Catalog,
    before: (sql: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<StatementPreview> {
    if (!(upstream instanceof PostgresUpstream)) throw new TypeError('not a PostgreSQL upstream')
    const { searchPath } = catalog
    const names = { key: '', paths: [searchPath], fallbacks: [searchPath], temporary: [] }
    const count = await this.#reader.countQuery({ text: subject.text, catalog, names, session: 'previews' })
    return await previewStatement(upstream, subject, count, before, signal)
  }

  async read(
    statement: string,
    target: Target,
    catalog: Catalog,
    session: string,
  ): Promise<StatementReading> {
    const names = new SessionNames(catalog.searchPath).current(catalog.searchPath)
    const statements = this.#statementsOf(target.name)
    const bytes = Buffer.from(statement)
    // Kept under the same keys under which the relay looks for it.
    const shape = shapeKey(bytes, 0, bytes.length)
    const known =
      statements.get(shape, statement, catalog, names) ??
      (await statements.read(shape, statement, catalog, names, session))
    return known.reading
  }

  #statementsOf(target: string): StatementCache {
    let statements = this.#statements.get(target)
    if (statements === undefined) {
      statements = new StatementCache(this.#reader)
      this.#statements.set(target, statements)
    }
    return statements
  }
}
