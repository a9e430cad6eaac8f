import type {
  DataFlow,
  Inference,
  InferenceKind,
  OutputColumn,
  SourceColumn,
} from '../../access/data-flow.ts'
import { type Result, type Sources, isEmpty } from './sources.ts'

/**
 * Sources are put together for policy, column by column, where the other sessions wait. `SELECT *` of the widest table that
 * PostgreSQL has, with all its partitions, is half of this.
 */
const MAX_SOURCES = 100_000

/** Gathers where the values of one statement come from. */
export class FlowBuilder {
  readonly #inferences = new Map<SourceColumn, Set<InferenceKind>>()
  #touched: Set<SourceColumn> | 'anything' = new Set<SourceColumn>()
  readonly #stored: DataFlow['stored'][number][] = []
  readonly #parameters = new Map<number, Set<SourceColumn>>()
  #outputs: DataFlow['outputs'] = []
  #dependsOnAnything = false
  #sources = 0
  /** One list for each set: they are sent to another thread, where the same list is the same again. */
  readonly #lists = new Map<Sources, OutputColumn['sources']>()

  /** What comes back, or how much of it, hangs on these columns. */
  infers(sources: Sources, kind: InferenceKind): void {
    if (sources === 'anything') {
      // No column can be named for policy to decide on: whatever comes back may tell it.
      this.#dependsOnAnything = true
      this.touches('anything')
      return
    }
    for (const source of sources) {
      const kinds = this.#inferences.get(source)
      if (kinds === undefined) this.#inferences.set(source, new Set([kind]))
      else kinds.add(kind)
    }
  }

  touches(sources: Sources): void {
    if (sources === 'anything') this.#touched = 'anything'
    else if (this.#touched !== 'anything') for (const source of sources) this.#touched.add(source)
  }

  stores(from: Sources, to: Sources): void {
    if (isEmpty(from) || to === 'anything') return
    for (const column of to) {
      this.#stored.push({ from: this.#listOf(from), to: column })
    }
  }

  /** A parameter is compared with a column, or stored in it, as it is. */
  takes(parameters: readonly number[], column: Sources): void {
    if (column === 'anything') return
    for (const number of parameters) {
      const columns = this.#parameters.get(number)
      if (columns === undefined) this.#parameters.set(number, new Set(column))
      else for (const one of column) columns.add(one)
    }
  }

  /** What the client gets. */
  returns(result: Result): void {
    const { columns, open } = result
    const outputs = columns.map(({ value }) => ({
      sources: this.#listOf(value.sources),
      isPlain: value.isPlain,
      ...(value.isDefinition === true && { isDefinition: true as const }),
    }))
    this.#outputs = open === undefined && this.#sources <= MAX_SOURCES ? outputs : 'unknown'
    if (columns.some(({ value }) => value.sources === 'anything') || open === 'anything')
      this.touches('anything')
  }

  #listOf(sources: Sources): OutputColumn['sources'] {
    if (sources === 'anything') return sources
    this.#sources += sources.size
    if (this.#sources > MAX_SOURCES) return 'anything'
    let list = this.#lists.get(sources)
    if (list === undefined) {
      list = [...sources]
      this.#lists.set(sources, list)
    }
    return list
  }

  finish(): DataFlow {
    const inferences: Inference[] = []
    for (const [column, kinds] of this.#inferences)
      for (const kind of kinds) inferences.push({ column, kind })
    const outputs = this.#outputs
    const hides = this.#dependsOnAnything && outputs !== 'unknown'
    return {
      outputs: hides ? outputs.map(() => ({ sources: 'anything', isPlain: false })) : outputs,
      inferences,
      touched: this.#touched === 'anything' ? 'anything' : [...this.#touched],
      stored: this.#stored,
      parameters: [...this.#parameters].flatMap(([number, columns]) =>
        [...columns].map((column) => ({ number, column })),
      ),
    }
  }
}
