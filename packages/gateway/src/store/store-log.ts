/** Where the store says what it does. A pino logger is one. */
export interface StoreLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}
