import type { TicketRow, TicketStore } from './ports.ts'

/** The port's contract in memory, for tests of what is above it. */
export class MemoryTicketStore implements TicketStore {
  readonly rows = new Map<string, TicketRow>()

  async put(row: Omit<TicketRow, 'revokedAt'>, hash: Buffer): Promise<void> {
    this.rows.set(hash.toString('hex'), { ...row, revokedAt: undefined })
  }

  async find(hash: Buffer): Promise<TicketRow | undefined> {
    return this.rows.get(hash.toString('hex'))
  }

  async get(id: string): Promise<TicketRow | undefined> {
    return [...this.rows.values()].find((row) => row.id === id)
  }

  async revoke(id: string, at: Date): Promise<boolean> {
    const entry = [...this.rows].find(([, row]) => row.id === id && row.revokedAt === undefined)
    if (entry !== undefined) this.rows.set(entry[0], { ...entry[1], revokedAt: at })
    return entry !== undefined
  }

  async prune(before: Date): Promise<number> {
    const ended = [...this.rows].filter(([, row]) => row.expiresAt < before)
    for (const [hash] of ended) this.rows.delete(hash)
    return ended.length
  }
}
