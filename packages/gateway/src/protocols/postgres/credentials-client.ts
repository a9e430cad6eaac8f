import { EventEmitter } from 'node:events'
import { Duplex } from 'node:stream'
import { Client } from 'pg'
import { SallyportError } from '../../access/errors.ts'

/**
 * A `pg` client that proves its password by SCRAM and never sends it, nor its MD5, and that believes a server
 * only after the server's own half of SCRAM. `pg` itself answers whatever the server asks for, and takes a mere
 * "you are in": whoever stands between us and the target could have the issuer account's password for the
 * asking, or be told the verifiers of temporary credentials, with which it could pose as the target to sessions.
 *
 * A certificate does not change that: whoever may apply resources names the server as well as the secret, and could
 * name one of theirs.
 */
export class ScramOnlyClient extends Client {
  #proved = false

  /** `pg` calls this when the server sends AuthenticationCleartextPassword. */
  protected _handleAuthCleartextPassword(): void {
    refuse(this, "asks for the issuer's password as it is")
  }

  /** `pg` calls this when the server sends AuthenticationMD5Password. */
  protected _handleAuthMD5Password(): void {
    refuse(this, "asks for the issuer's password as an MD5 hash")
  }

  /** `pg` calls this when the server sends AuthenticationSASLFinal, and ends the connection if it is no proof. */
  protected _handleAuthSASLFinal(message: unknown): void {
    const begun: unknown = Reflect.get(this, 'saslSession')
    inherited(this, '_handleAuthSASLFinal', message)
    this.#proved = begun !== null && Reflect.get(this, 'saslSession') === null
  }

  /** `pg` calls this when the server is ready, also for the first time. */
  protected _handleReadyForQuery(message: unknown): void {
    if (this.#proved) inherited(this, '_handleReadyForQuery', message)
    else refuse(this, "lets the issuer's account in without a proof on either side")
  }

  /**
   * `pg` calls this once when it could not connect, and forgets the socket: a server that keeps its side open would cost
   * one at every attempt.
   */
  protected _handleErrorWhileConnecting(error: unknown): void {
    inherited(this, '_handleErrorWhileConnecting', error)
    const connection: unknown = Reflect.get(this, 'connection')
    const stream: unknown = connection instanceof EventEmitter ? Reflect.get(connection, 'stream') : undefined
    if (stream instanceof Duplex) stream.destroy()
  }
}

function inherited(client: Client, name: string, message: unknown): void {
  const method: unknown = Reflect.get(Client.prototype, name)
  if (typeof method === 'function') Reflect.apply(method, client, [message])
}

function refuse(client: Client, what: string): void {
  const error = new SallyportError('TARGET_ISSUER_FAILED', `the target ${what}`, {
    hint:
      'it is only ever proved by SCRAM: use scram-sha-256 for the account in pg_hba.conf, and if the password is kept ' +
      "as an MD5 hash, set it again under password_encryption = 'scram-sha-256'",
  })
  // An error of the connection under the client is what makes `connect()` reject.
  const connection: unknown = Reflect.get(client, 'connection')
  if (connection instanceof EventEmitter) connection.emit('error', error)
}
