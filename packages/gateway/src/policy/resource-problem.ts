import { SallyportError } from '../access/errors.ts'

/** One thing that is wrong with a resource file. Lines and columns count from 1, columns in UTF-16 units. */
export interface ResourceProblem {
  readonly path: string
  readonly line: number
  readonly column: number
  readonly message: string
  readonly hint?: string
}

/** The resource files cannot be applied. Holds every problem found, so that they can be mended in one go. */
export class ResourcesInvalid extends SallyportError {
  readonly problems: readonly ResourceProblem[]

  constructor(problems: readonly ResourceProblem[]) {
    super('RESOURCE_INVALID', problems.map(describe).join('\n'), {
      hint: 'correct the files and apply them again; until then what was applied before stays in force',
    })
    this.problems = problems
  }
}

/** `policies.cedar:3:14: unrecognized action … (did you mean …?)` */
export function describe(problem: ResourceProblem): string {
  const where = `${problem.path}:${problem.line}:${problem.column}`
  return `${where}: ${problem.message}${problem.hint === undefined ? '' : ` (${problem.hint})`}`
}

/** Line and column, from 1, of an offset in UTF-16 units. */
export function positionAt(text: string, offset: number): { readonly line: number; readonly column: number } {
  let line = 1
  let lineStart = 0
  for (let end = text.indexOf('\n'); end >= 0 && end < offset; end = text.indexOf('\n', lineStart)) {
    line += 1
    lineStart = end + 1
  }
  return { line, column: offset - lineStart + 1 }
}

/** The UTF-16 offset of an offset in UTF-8 bytes, which is what Cedar counts in. */
export function fromUtf8Offset(text: string, bytes: number): number {
  return Buffer.from(text).subarray(0, bytes).toString().length
}
