/** The gateway, as far as `serve`, `dev`, `doctor` and `classify` use it; they alone load it, at run time. */
export type GatewayModule = typeof import('@sallyport/gateway')
export type GatewayConfig = Awaited<ReturnType<GatewayModule['loadConfig']>>
export type RunningGateway = Awaited<ReturnType<GatewayModule['startGateway']>>
export type TrustedIssuer = GatewayConfig['issuers'][number]
export type Address = GatewayConfig['listen']['http']
/** Where log lines go. A pino logger is one. */
export type Log = NonNullable<Parameters<GatewayModule['startGateway']>[0]['log']>
/** What was tried on a target, and how it went. */
export type CheckStep = Awaited<ReturnType<GatewayModule['checkTargets']>>[number]['steps'][number]

export type SampledColumn = import('@sallyport/gateway').SampledColumn
export type ProposedClassification = import('@sallyport/gateway').ProposedClassification

/** Every other command starts in the time that its own few files take, without the gateway's. */
export function loadGateway(): Promise<GatewayModule> {
  return import('@sallyport/gateway')
}
