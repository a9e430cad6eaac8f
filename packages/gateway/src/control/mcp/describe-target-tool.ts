import type { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { SallyportError } from '../../access/errors.ts'
import { authorizeConnect } from '../authorize.ts'
import type { ControlServices } from '../services.ts'
import type { ToolCaller } from './tool-caller.ts'
import { failedCall } from './tool-failure.ts'

/** A description is read by a model: with more than this, it should be asked for one schema. */
const MAX_RELATIONS = 200

const Input = z.object({
  target: z.string().max(256).describe('name of the target, from list_targets'),
  schema: z.string().max(256).optional().describe('only relations of this schema'),
})

const Output = z.object({
  target: z.string(),
  database: z.string(),
  relations: z.array(
    z.object({
      schema: z.string(),
      name: z.string(),
      kind: z.string(),
      columns: z.array(z.object({ name: z.string(), type: z.string(), nullable: z.boolean() })),
    }),
  ),
  truncated: z.boolean(),
})

/** `describe_target`: the relations and columns that the caller may read. */
export function addDescribeTargetTool(
  server: McpServer,
  services: ControlServices,
  caller: ToolCaller,
): void {
  server.registerTool(
    'describe_target',
    {
      title: 'Describe a target',
      description: 'Lists the tables and views of a target that you may read, with their columns and types.',
      inputSchema: Input,
      outputSchema: Output,
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
      _meta: { 'anthropic/alwaysLoad': true },
    },
    async (input) => {
      try {
        const target = authorizeConnect(services, caller, input.target, { via: 'mcp' })
        const readable = await services.targets.describe(caller.principal, target)
        const asked = readable.filter(({ schema }) => input.schema === undefined || schema === input.schema)
        const relations = asked.slice(0, MAX_RELATIONS).map(({ schema, name, kind, columns }) => ({
          schema,
          name,
          kind,
          columns: columns.map((column) => ({ ...column })),
        }))
        const truncated = asked.length > relations.length
        const lines = relations.map(({ schema, name, kind, columns }) => {
          const list = columns.map(
            ({ name, type, nullable }) => `${name} ${type}${nullable ? '' : ' not null'}`,
          )
          return `${kind} ${schema}.${name} (${list.join(', ')})`
        })
        if (lines.length === 0) lines.push('There is nothing in it that you may read.')
        if (truncated) {
          lines.push(
            `TRUNCATED: ${asked.length} relations, of which these are the first ${MAX_RELATIONS}. ` +
              'Ask for one schema.',
          )
        }
        return {
          content: [{ type: 'text', text: lines.join('\n') }],
          structuredContent: { target: target.name, database: target.database, relations, truncated },
        }
      } catch (error) {
        if (!(error instanceof SallyportError)) {
          services.log.error({ err: error, requestId: caller.requestId }, 'describe_target failed')
        }
        return failedCall(error, caller.requestId)
      }
    },
  )
}
