import type { McpServer } from '@modelcontextprotocol/server'
import { TargetList } from '@sallyport/api'
import { z } from 'zod'
import { targetSummary } from '../answers/target-answer.ts'
import { contextOf } from '../caller.ts'
import type { ControlServices } from '../services.ts'
import type { ToolCaller } from './tool-caller.ts'

/** `list_targets`: the targets that the caller may connect to now, or when a person has approved it. */
export function addListTargetsTool(server: McpServer, services: ControlServices, caller: ToolCaller): void {
  server.registerTool(
    'list_targets',
    {
      title: 'List targets',
      description: 'Lists the databases that you may connect to through this gateway.',
      inputSchema: z.object({}),
      outputSchema: TargetList,
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
      _meta: { 'anthropic/alwaysLoad': true },
    },
    () => {
      const context = contextOf(caller, 'mcp')
      const asked = new Set<string>()
      const targets = services.targets
        .list()
        .filter((target) => {
          const decision = services.policy.decideConnect(caller.principal, target, context)
          if (decision.effect === 'deny' && decision.approval !== undefined) asked.add(target.name)
          return decision.effect === 'permit' || asked.has(target.name)
        })
        .map(targetSummary)
      const lines = targets.map(({ name, protocol, database, tags }) => {
        const tagged = Object.entries(tags).map(([key, value]) => `${key}=${value}`)
        const first = asked.has(name) ? ['a person has to approve the connection first'] : []
        return [`${name}: ${protocol}, database ${database}`, ...tagged, ...first].join(', ')
      })
      const text = lines.length === 0 ? 'No target is open to you: no policy permits any.' : lines.join('\n')
      return { content: [{ type: 'text', text }], structuredContent: { targets } }
    },
  )
}
