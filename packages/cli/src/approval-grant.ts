import type { ApprovalGrant } from '@sallyport/api'
import { usage } from './failure.ts'
import { seconds } from './humane.ts'

export interface GrantOptions {
  readonly grant?: 'pattern' | 'connection'
  readonly for?: string
  readonly maxUses?: number
  readonly vary: readonly string[]
  readonly anyLiterals?: boolean
}

type Bound = NonNullable<ApprovalGrant['parameters']>[number]

/**
 * How far an approval is to reach, from the options; undefined: the one statement, once.
 * @throws CliFailure usage, when they do not fit together
 */
export function grantOf(options: GrantOptions): ApprovalGrant | undefined {
  const { grant: kind, maxUses, vary, anyLiterals } = options
  const duration = options.for
  if (kind === undefined) {
    if (duration !== undefined || maxUses !== undefined || vary.length > 0 || anyLiterals === true) {
      throw usage('--for, --max-uses, --vary and --any-literals are for a grant', 'add --grant pattern')
    }
    return undefined
  }
  const length = duration === undefined ? undefined : seconds(duration)
  if (length === undefined || length === 0) throw usage('a grant needs an end', '--for 15m')
  if (kind === 'connection' && (vary.length > 0 || anyLiterals === true)) {
    throw usage('--vary and --any-literals are for a pattern', 'a connection has no statement of its own')
  }
  return {
    kind,
    seconds: length,
    ...(maxUses === undefined ? {} : { maxUses }),
    ...(vary.length === 0 ? {} : { parameters: vary.map(boundOf) }),
    ...(anyLiterals === true ? { anyLiterals } : {}),
  }
}

/** `2=*`, `2=100..199`, `2=new,open`. */
function boundOf(text: string): Bound {
  const [, digits, what = ''] = /^\$?([1-9]\d{0,4})=(.+)$/s.exec(text) ?? []
  if (digits === undefined)
    throw usage(`"${text}" does not say what may vary`, "--vary '2=*', '2=100..199' or '2=new,open'")
  const number = Number(digits)
  if (what === '*') return { number, any: true }
  const range = /^(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)$/.exec(what)
  if (range !== null) return { number, min: Number(range[1]), max: Number(range[2]) }
  return { number, oneOf: what.split(',') }
}
