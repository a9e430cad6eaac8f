import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { SallyportError } from '../access/errors.ts'
import type { ResourceFile, ResourceSet, ResourceStore } from '../policy/ports.ts'
import type { Store } from './database.ts'
import type { Schema } from './schema.ts'
import { reached } from './store-error.ts'

/** Applied resource sets in the store. Earlier sets are kept: what was in force when is part of the record. */
export class StoredResources implements ResourceStore {
  readonly #store: Pick<Store, 'db'>

  constructor(store: Pick<Store, 'db'>) {
    this.#store = store
  }

  current(): Promise<ResourceSet | undefined> {
    return reached(currentSet(this.#store.db))
  }

  /** `expected` is 0 when nothing has been applied yet. */
  replace(files: readonly ResourceFile[], expected: number, appliedBy: string): Promise<ResourceSet> {
    return reached(
      this.#store.db.transaction().execute(async (db) => {
        // Whoever comes second must see what the first one applied, not apply the same version number.
        await sql`LOCK TABLE sallyport.resource_sets IN EXCLUSIVE MODE`.execute(db)
        const found = (await currentVersion(db)) ?? 0
        if (found !== expected) {
          throw new SallyportError(
            'RESOURCE_CONFLICT',
            `the resources have changed: expected version ${expected}, found ${found}`,
            { hint: 'look at the changes with "sallyport diff", then apply again' },
          )
        }
        const version = found + 1
        await db.insertInto('resource_sets').values({ version, applied_by: appliedBy }).execute()
        if (files.length > 0) {
          const rows = files.map((file) => ({ version, path: file.path, text: file.text }))
          await db.insertInto('resource_files').values(rows).execute()
        }
        return { version, files: sorted(files) }
      }),
    )
  }
}

async function currentVersion(db: Kysely<Schema>): Promise<number | undefined> {
  const row = await db
    .selectFrom('resource_sets')
    .select((select) => select.fn.max('version').as('version'))
    .executeTakeFirst()
  return row?.version ?? undefined
}

async function currentSet(db: Kysely<Schema>): Promise<ResourceSet | undefined> {
  const version = await currentVersion(db)
  if (version === undefined) return undefined
  const files = await db
    .selectFrom('resource_files')
    .select(['path', 'text'])
    .where('version', '=', version)
    .execute()
  return { version, files: sorted(files) }
}

/** By code unit, as JavaScript compares: the same order whatever the database's collation. */
function sorted(files: readonly ResourceFile[]): readonly ResourceFile[] {
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}
