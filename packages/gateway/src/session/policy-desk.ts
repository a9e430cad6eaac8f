import type { Catalog } from '../access/catalog.ts'
import type { AccessContext, Operation, Principal, Target } from '../access/model.ts'
import { NO_USAGE } from '../access/model.ts'
import { Secret } from '../access/secret.ts'
import type { DecisionPoint } from '../policy/decision-point.ts'
import { lintResources } from '../policy/lint-resources.ts'
import type { LintFinding } from '../policy/lint-resources.ts'
import type { ColumnPlan } from '../policy/masking-decision.ts'
import type { ResourceFile } from '../policy/ports.ts'
import { readResources } from '../policy/resources.ts'
import type { ShownPolicy, Simulation } from '../policy/simulation.ts'
import { decideStatement } from './decide-statement.ts'
import type { ReadSql } from './run-policy-tests.ts'

/** What people ask about policies without running anything: what would be decided, what was, and what looks wrong. */
export class PolicyDesk {
  readonly #point: DecisionPoint
  readonly #read: ReadSql
  readonly #catalogOf: (target: Target) => Promise<Catalog>

  constructor(options: {
    readonly point: DecisionPoint
    readonly read: ReadSql
    /** @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED */
    readonly catalogOf: (target: Target) => Promise<Catalog>
  }) {
    this.#point = options.point
    this.#read = options.read
    this.#catalogOf = options.catalogOf
  }

  /** @throws SallyportError TARGET_UNREACHABLE, TARGET_ISSUER_FAILED: without a catalog, names mean nothing */
  async simulate(
    principal: Principal,
    target: Target,
    sql: string,
    around: Omit<AccessContext, 'sessionId' | 'usage'>,
  ): Promise<Simulation> {
    const catalog = await this.#catalogOf(target)
    const reading = await this.#read(sql, catalog)
    const context = { ...around, sessionId: 'ses_simulated', usage: NO_USAGE }
    const decision = decideStatement(this.#point, { principal, target, reading, context }, true)
    const denial = decision.effect === 'deny' ? decision : undefined
    const plans = decision.effect === 'permit' ? (decision.masks ?? []) : []
    return {
      decision: denial?.approval === undefined ? decision.effect : 'approval',
      policies: this.policiesNamed(decision.policies),
      ...(denial === undefined ? {} : { reason: denial.reason, code: denial.code }),
      ...(denial?.hint === undefined ? {} : { hint: denial.hint }),
      ...(denial?.approval === undefined ? {} : { approval: denial.approval }),
      alarms: decision.effect === 'permit' ? decision.alarms : [],
      operations: decision.operations.map(({ operation, decision: one }) => ({
        ...described(operation),
        decision: one.effect === 'deny' && one.approval !== undefined ? 'approval' : one.effect,
        policies: one.policies,
        ...(one.effect === 'deny' ? { reason: one.reason } : {}),
      })),
      functions: reading.calls ?? [],
      facts: reading.facts,
      masks: plans.map(({ columns, beyond, hidesTexts }) => ({
        columns: beyond === undefined ? columns.map(maskText) : 'hidden',
        hidesTexts,
      })),
      guesses: decision.effect === 'permit' ? decision.guesses : 0,
    }
  }

  /** As they are now; those that are in force no more are left out. */
  policiesNamed(ids: readonly string[]): readonly ShownPolicy[] {
    return this.#point.policiesNamed(ids).map(({ id, effect, path, line, text }) => ({
      id,
      effect,
      path,
      line,
      text,
    }))
  }

  /**
   * Looks over resources that are not in force, with the catalogs of targets that can be reached.
   * @returns what was found, and the targets whose catalogs were looked at
   * @throws ResourcesInvalid
   */
  async lint(
    files: readonly ResourceFile[],
  ): Promise<{ readonly findings: readonly LintFinding[]; readonly catalogs: readonly string[] }> {
    // Nothing is connected to with what is read here: only targets that are in force are.
    const resources = readResources(files, () => new Secret(''))
    const catalogs = new Map<string, Catalog>()
    for (const name of resources.targets.keys()) {
      const target = this.#point.resources.targets.get(name)
      const catalog = target && (await this.#catalogOf(target).catch(() => undefined))
      if (catalog !== undefined) catalogs.set(name, catalog)
    }
    return { findings: lintResources(resources, catalogs), catalogs: [...catalogs.keys()] }
  }
}

function described({ action, resource, columns, through }: Operation) {
  const on = {
    Target: '',
    Database: '',
    Schema: 'schema' in resource ? resource.schema : '',
    Table: 'table' in resource ? `${resource.schema}.${resource.table}` : '',
    DataClass: 'name' in resource ? resource.name : '',
  }[resource.type]
  return {
    action,
    on,
    ...(columns === undefined ? {} : { columns }),
    ...(through === undefined ? {} : { through: `${through.by} ${through.schema}.${through.table}` }),
  }
}

function maskText(column: ColumnPlan | undefined): string {
  if (column === undefined) return 'clear'
  return column.classes
    .map(({ dataClass: { name, mask } }) =>
      column.plain === undefined ? `${name} (redacted: computed)` : `${name} (${mask.method})`,
    )
    .join(', ')
}
