import type { Argument, Command, Option } from 'commander'

/** The text of `docs/reference/cli.md`, made from the definitions that the program itself parses with. */
export function cliReference(program: Command): string {
  const commands = program.commands.flatMap((command) => sections(command, 'sallyport'))
  return [
    '# Command line',
    '',
    'Made from the program by `node scripts/references.ts`; a test keeps it current.',
    '',
    'Data goes to stdout, everything else to stderr. Colour is left out when `NO_COLOR` is set. With `-o json` or `-o jsonl`',
    'errors are problem details (RFC 9457) with `code`, `hint` and `requestId`, one JSON object on stderr. No option takes a',
    'secret: tokens come from `SALLYPORT_TOKEN`, or from a file.',
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '|---|---|',
    ...EXIT_MEANINGS.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
    '`run` and `connect` pass on the exit code of what they run; 128 + n when signal n ended it.',
    '',
    ...commands,
  ].join('\n')
}

const EXIT_MEANINGS: readonly (readonly [number, string])[] = [
  [0, 'ok'],
  [1, 'internal error; `doctor`: something is missing; `query`: the SQL failed'],
  [2, 'usage'],
  [3, 'authentication needed'],
  [4, 'denied'],
  [5, 'approval pending'],
  [6, 'approval refused or expired'],
  [7, 'gateway or target unreachable'],
  [8, 'policy tests failed'],
  [9, 'conflict'],
]

function sections(command: Command, parent: string): string[] {
  const name = `${parent} ${command.name()}`
  const inner = command.commands.flatMap((one) => sections(one, name))
  // A command that only groups others has nothing of its own to say.
  if (command.commands.length > 0 && command.options.length === 0) return inner
  const usage = [
    name,
    ...command.registeredArguments.map(argumentText),
    command.options.length > 0 ? '[options]' : '',
  ]
  return [
    `## \`${name}\``,
    '',
    sentence(command.description()),
    '',
    '```',
    usage.filter((part) => part !== '').join(' '),
    '```',
    '',
    ...table(command),
    ...inner,
  ]
}

function table(command: Command): string[] {
  const rows = [
    ...command.registeredArguments.map((argument) => [`\`${argumentText(argument)}\``, argument.description]),
    ...command.options.map((option) => [`\`${option.flags}\``, optionText(option)]),
  ]
  if (rows.length === 0) return []
  return ['| | |', '|---|---|', ...rows.map((cells) => `| ${cells.map(cell).join(' | ')} |`), '']
}

function argumentText(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '…' : '')
  return argument.required ? `<${name}>` : `[${name}]`
}

function optionText(option: Option): string {
  const notes = [
    option.argChoices && option.argChoices.join(', '),
    option.mandatory && 'required',
    option.defaultValue !== undefined &&
      String(option.defaultValue) !== '' &&
      `default: ${String(option.defaultValue)}`,
  ].filter((note) => typeof note === 'string')
  return notes.length === 0 ? option.description : `${option.description} (${notes.join('; ')})`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', text.startsWith('`') ? '<' : '&lt;')
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
