import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { SallyportError } from '../access/errors.ts'
import * as first from './migrations/0001-first.ts'
import * as approvals from './migrations/0002-approvals.ts'
import * as people from './migrations/0003-people.ts'
import * as reviews from './migrations/0004-reviews.ts'
import * as alarmMessages from './migrations/0005-alarm-messages.ts'
import type { Schema } from './schema.ts'
import { SCHEMA } from './schema.ts'
import { storeError } from './store-error.ts'

/**
 * Brings the schema to this version's form: every missing migration in one transaction, under the Migrator's advisory
 * lock, so that two gateways that start together do it once.
 * @throws SallyportError STORE_UNAVAILABLE, also when a newer version of the gateway has been here
 */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: {
      getMigrations: async () => ({
        '0001-first': first,
        '0002-approvals': approvals,
        '0003-people': people,
        '0004-reviews': reviews,
        '0005-alarm-messages': alarmMessages,
      }),
    },
    migrationTableSchema: SCHEMA,
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  if (error instanceof Error && error.message.startsWith('corrupted migrations')) {
    throw new SallyportError(
      'STORE_UNAVAILABLE',
      'the database was last used by a newer version of Sallyport',
      {
        hint: 'run that version, or restore a backup from before it',
        cause: error,
      },
    )
  }
  throw storeError(error)
}
