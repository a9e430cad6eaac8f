import { DEFAULT_GATEWAY } from '../settings.ts'
import { PERSONAS } from './idp-personas.ts'

/** What the person who started `sallyport dev` may type next. Holds a ticket: for their own terminal only. */
export function whatToTry(dev: {
  readonly url: string
  readonly postgres: { readonly host: string; readonly port: number }
  readonly folder: string
  /** How to call us from anywhere: a program and its first arguments. */
  readonly sallyport: readonly string[]
  readonly ticket: { readonly secret: string; readonly target: string; readonly persona: string } | undefined
}): string {
  const { url, postgres, ticket } = dev
  const sallyport = dev.sallyport.map(shellWord).join(' ')
  const dir = `--dir ${shellWord(dev.folder)}`
  const gateway = url === DEFAULT_GATEWAY ? '' : `--gateway ${url} `
  const mcp = {
    mcpServers: {
      sallyport: {
        type: 'http',
        url: `${url}/mcp`,
        headersHelper: `${sallyport} dev token insight-agent --header ${dir}`,
      },
    },
  }
  const psql = ticket && [
    `psql, as ${ticket.persona} (the ticket ends in minutes):`,
    `  PGPASSWORD=${ticket.secret} psql -h ${postgres.host} -p ${postgres.port} -U ${ticket.persona} ${ticket.target}`,
    '',
    `one query, as ${ticket.persona}:`,
    `  export SALLYPORT_TOKEN=$(${sallyport} dev token ${ticket.persona} ${dir})`,
    `  ${sallyport} query ${gateway}${ticket.target} "SELECT country, count(*) FROM customers GROUP BY country"`,
    '',
  ]
  return [
    `Sallyport is at ${url}, PostgreSQL at ${postgres.host}:${postgres.port}`,
    '',
    ...(psql ?? []),
    'an agent: put this into its .mcp.json (Claude Code runs headersHelper once you have trusted that folder)',
    ...JSON.stringify(mcp, null, 2)
      .split('\n')
      .map((line) => `  ${line}`),
    '',
    'anybody can be anybody here:',
    ...PERSONAS.map((one) => `  ${one.name.padEnd(14)} ${one.kind.padEnd(7)} ${one.groups.join(', ')}`),
    '',
    'Ctrl-C stops everything.',
    '',
  ].join('\n')
}

/** A word as a shell reads it back. */
function shellWord(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
