/** The `code` of a system or PostgreSQL error (`ENOENT`, `42P01`); undefined for what has none. */
export function errorCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : undefined
}
