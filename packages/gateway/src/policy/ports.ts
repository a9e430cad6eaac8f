/** The applied resources and policies, in the order of their names. The text is what was applied, secrets only as references. */
export interface ResourceSet {
  /** Counts up with every change. */
  readonly version: number
  readonly files: readonly ResourceFile[]
}

export interface ResourceFile {
  /** Path relative to the resources directory, with forward slashes: `policies/agents.cedar`, `targets.yaml`. */
  readonly path: string
  readonly text: string
}

export interface ResourceStore {
  current(): Promise<ResourceSet | undefined>
  /** Replaces the whole set. @throws SallyportError RESOURCE_CONFLICT when `expected` is no longer the current version */
  replace(files: readonly ResourceFile[], expected: number, appliedBy: string): Promise<ResourceSet>
}
