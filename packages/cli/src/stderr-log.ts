import type { Log } from './gateway-module.ts'
import { tell, type World } from './world.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof LEVELS)[number]

/** Log lines for a terminal: what is below `least` is left out. */
export function stderrLog(world: World, least: Level): Log {
  const line =
    (level: Level) =>
    (fields: object, message: string): void => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return
      const rest = Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`)
      tell(world, [level.padEnd(5), message, ...rest].join(' '))
    }
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

function valueText(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message)
  return JSON.stringify(value) ?? String(value)
}
