import { z } from 'zod'
import { configSchema } from './schema.ts'
import { shapeAt, unwrapped } from './schema-shape.ts'

/** The reference of `sallyport.yaml` in Markdown, one row a key, from the schema's own descriptions. */
export function configReference(): string {
  return [
    '# Configuration: `sallyport.yaml`',
    '',
    'Made from the schema by `node scripts/references.ts`; a test keeps it current.',
    '',
    'Relative paths begin at the folder of the file. Unknown keys are errors. A *secret* is written as a reference:',
    '`{ env: NAME }` or `{ file: PATH }`. A *duration* is a number with a unit: `500ms`, `30s`, `15m`, `8h`, `7d`.',
    '',
    '| key | type | default | meaning |',
    '|---|---|---|---|',
    ...rows('', shapeAt(configSchema, [])),
    '',
  ].join('\n')
}

function rows(prefix: string, shape: Readonly<Record<string, z.core.$ZodType>>): readonly string[] {
  return Object.entries(shape).flatMap(([key, schema]) => {
    const name = `${prefix}${key}`
    const inner = unwrapped(schema)
    const cells = [`\`${name}\``, typeName(schema), defaultOf(schema), meta(schema).description ?? '']
    const row = `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
    const below = inner instanceof z.ZodArray ? `${name}[].` : `${name}.`
    return [
      row,
      ...rows(below, inner instanceof z.ZodArray ? shapeAt(inner.element, []) : shapeAt(inner, [])),
    ]
  })
}

function typeName(outer: z.core.$ZodType): string {
  const named = meta(outer).type
  if (typeof named === 'string') return named
  const schema = unwrapped(outer)
  if (schema instanceof z.ZodArray) return 'list'
  if (schema instanceof z.ZodObject) return 'map'
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => `\`${option}\``).join(', ')
  if (schema instanceof z.ZodNumber) return 'number'
  if (schema instanceof z.ZodNever) return '–'
  return 'text'
}

/** A dash for what may be left out, "required" for what may not. */
function defaultOf(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodDefault) {
    const value: unknown = schema.def.defaultValue
    return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
  }
  return schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault ? '–' : 'required'
}

/** A description stays on the wrapper it was given to, a type name on what is inside: the nearest one counts. */
function meta(schema: z.core.$ZodType): {
  readonly description?: string | undefined
  readonly type?: unknown
} {
  const inner = unwrapped(schema)
  return { ...z.globalRegistry.get(inner), ...z.globalRegistry.get(schema) }
}
