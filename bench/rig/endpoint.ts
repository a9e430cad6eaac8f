/** Somewhere a client can connect to and see the same database. */
export interface Endpoint {
  /** What it is called in the tables. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}
