import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'

/** Codes, grants and browser sessions of people trying things out; the oldest give way. */
const MAX_ENTRIES = 2_000

interface Entry {
  readonly payload: AdapterPayload
  readonly until: number
}

/** Where the development provider keeps what is not in a JWT: in memory, one map per kind of thing. */
export function memoryStorage(): AdapterFactory {
  const models = new Map<string, Map<string, Entry>>()
  return (model) => {
    const entries = models.get(model) ?? new Map<string, Entry>()
    models.set(model, entries)
    return adapterOver(entries, models)
  }
}

function adapterOver(entries: Map<string, Entry>, models: ReadonlyMap<string, Map<string, Entry>>): Adapter {
  const live = (entry: Entry | undefined): AdapterPayload | undefined =>
    entry !== undefined && entry.until > Date.now() ? entry.payload : undefined
  const findBy = (field: 'uid' | 'userCode', value: string): AdapterPayload | undefined =>
    live([...entries.values()].find(({ payload }) => payload[field] === value))

  return {
    async upsert(id, payload, expiresIn) {
      entries.delete(id)
      entries.set(id, { payload, until: Date.now() + (expiresIn ?? Number.POSITIVE_INFINITY) * 1000 })
      const oldest = entries.keys().next()
      if (entries.size > MAX_ENTRIES && oldest.done !== true) entries.delete(oldest.value)
    },
    async find(id) {
      return live(entries.get(id))
    },
    async findByUid(uid) {
      return findBy('uid', uid)
    },
    async findByUserCode(userCode) {
      return findBy('userCode', userCode)
    },
    async consume(id) {
      const entry = entries.get(id)
      if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000)
    },
    async destroy(id) {
      entries.delete(id)
    },
    async revokeByGrantId(grantId) {
      for (const model of models.values()) {
        for (const [id, { payload }] of model) if (payload.grantId === grantId) model.delete(id)
      }
    },
  }
}
