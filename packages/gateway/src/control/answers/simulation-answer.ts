import type { ShownPolicy, Simulation } from '@sallyport/api'
import type {
  ShownPolicy as KnownPolicy,
  SimulatedOperation,
  Simulation as Simulated,
} from '../../policy/simulation.ts'

export function policyAnswer({ id, effect, path, line, text }: KnownPolicy): ShownPolicy {
  return { id, effect, file: path, line, text }
}

export function simulationAnswer(simulated: Simulated): Simulation {
  const { decision, reason, hint, code, approval } = simulated
  return {
    decision,
    policies: simulated.policies.map(policyAnswer),
    ...(reason === undefined ? {} : { reason }),
    ...(hint === undefined ? {} : { hint }),
    ...(code === undefined ? {} : { code }),
    alarms: [...simulated.alarms],
    ...(approval === undefined
      ? {}
      : {
          approval: {
            reason: approval.reason,
            rules: approval.rules.map((rule) => ({ ...rule, approvers: [...rule.approvers] })),
          },
        }),
    operations: simulated.operations.map(operationAnswer),
    functions: simulated.functions.map((one) => ({ ...one })),
    facts: { ...simulated.facts },
    masks: simulated.masks.map(({ columns, hidesTexts }) => ({
      columns: columns === 'hidden' ? columns : [...columns],
      hidesTexts,
    })),
    guesses: simulated.guesses,
  }
}

function operationAnswer({ columns, policies, ...rest }: SimulatedOperation) {
  return {
    ...rest,
    policies: [...policies],
    ...(columns === undefined ? {} : { columns: [...columns] }),
  }
}
