export { Secret } from './access/secret.ts'
export { SallyportError } from './access/errors.ts'
export type { Config } from './config/config.ts'
export { loadConfig } from './config/load.ts'
export {
  checkTargets,
  type Gateway,
  type GatewayLog,
  lintFiles,
  startGateway,
  testResources,
} from './main.ts'
export { ResourcesInvalid } from './policy/resource-problem.ts'
export { recogniseEach } from './masking/detect/external-recogniser.ts'
export {
  MOST_SAMPLES,
  type ProposedClassification,
  proposeClassification,
  type SampledColumn,
} from './masking/propose-classification.ts'
export { startEmbedded } from './store/embedded-postgres.ts'
