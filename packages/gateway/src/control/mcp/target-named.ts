import { SallyportError } from '../../access/errors.ts'
import type { Target } from '../../access/model.ts'
import type { ControlServices } from '../services.ts'

/**
 * The target of that name. Whether the caller may connect to it is decided where the session is opened, as for everybody.
 * @throws SallyportError TARGET_UNKNOWN
 */
export function targetNamed({ targets }: Pick<ControlServices, 'targets'>, name: string): Target {
  const target = targets.get(name)
  if (target !== undefined) return target
  throw new SallyportError('TARGET_UNKNOWN', `there is no target named "${name}"`, {
    hint: 'the tool list_targets shows those that are open to you',
  })
}
