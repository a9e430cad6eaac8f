import { McpServer } from '@modelcontextprotocol/server'
import type { ControlServices } from '../services.ts'
import { addCheckApprovalTool } from './check-approval-tool.ts'
import { addDescribeTargetTool } from './describe-target-tool.ts'
import type { InFlightCalls } from './in-flight-calls.ts'
import { addListTargetsTool } from './list-targets-tool.ts'
import { addQueryTool } from './query-tool.ts'
import type { ToolCaller } from './tool-caller.ts'

const INSTRUCTIONS = `Sallyport is an access gateway: you work on databases through it, under policies, with a credential
that exists only for each query. Begin with list_targets, then describe_target, then query. A denial is final for that
statement: do what is permitted instead, or tell the user. Where a person's approval is needed, query answers \`pending\`:
tell the user, wait with check_approval, and call query again with the identical statement once it is granted.`

/** The server of one request: both generations of MCP are served statelessly. */
export function mcpServer(services: ControlServices, caller: ToolCaller, calls: InFlightCalls): McpServer {
  const server = new McpServer(
    { name: 'sallyport', title: 'Sallyport', version: services.settings.version },
    { instructions: INSTRUCTIONS },
  )
  addListTargetsTool(server, services, caller)
  addDescribeTargetTool(server, services, caller)
  addQueryTool(server, services, caller, calls)
  addCheckApprovalTool(server, services, caller, calls)
  return server
}
