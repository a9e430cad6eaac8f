import { type Client, DatabaseError } from 'pg'

/**
 * What a client is told when its session is ended under it: the last error before its socket closes. To be called before
 * that happens.
 */
export function endOf(
  client: Client,
): Promise<Pick<DatabaseError, 'code' | 'message' | 'where'> | undefined> {
  return new Promise((resolve) => {
    let last: DatabaseError | undefined
    client.on('error', (error) => {
      if (error instanceof DatabaseError) last ??= error
    })
    client.once('end', () => resolve(last))
  })
}
