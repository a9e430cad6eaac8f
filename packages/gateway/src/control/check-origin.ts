import { isIP } from 'node:net'
import { RequestInvalid } from './problem.ts'

/**
 * Refuses requests that a web page made a browser send.
 *
 * `Host`: a page of an attacker whose name is made to resolve to this machine (DNS rebinding) arrives with that name, so
 * only our own name, `localhost` and bare addresses, which nobody can rebind, are served. `Origin`: what it names must be
 * this very server (MCP 2025-11-25, Transports, "Security Warning"); programs that are not browsers send none.
 */
export class OriginCheck {
  readonly #publicHost: string
  readonly #publicOrigin: string

  /** @throws TypeError when `publicUrl` is not a URL */
  constructor(publicUrl: string) {
    const url = new URL(publicUrl)
    this.#publicHost = url.hostname
    this.#publicOrigin = url.origin
  }

  /** @throws RequestInvalid 421 or 403 */
  check(host: string | undefined, origin: string | undefined): void {
    const name = hostnameOf(host)
    if (name === undefined || !this.#serves(name)) {
      throw new RequestInvalid('this gateway is not served under that Host', {
        status: 421,
        hint: `use ${this.#publicOrigin}, or set publicUrl to the name that is used`,
      })
    }
    if (origin === undefined || origin === this.#publicOrigin) return
    if (isLoopback(name) && (origin === `http://${host}` || origin === `https://${host}`)) return
    throw new RequestInvalid('this gateway does not answer pages of other origins', { status: 403 })
  }

  #serves(name: string): boolean {
    return name === this.#publicHost || name === 'localhost' || isIP(name.replaceAll(/[[\]]/g, '')) !== 0
  }
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)
}

/** RFC 9110 §7.2: `uri-host [ ":" port ]` and nothing else. */
function hostnameOf(host: string | undefined): string | undefined {
  if (host === undefined || !/^(?:\[[\da-fA-F:.]+\]|[\w.-]+)(?::\d{1,5})?$/.test(host)) return undefined
  return host.replace(/:\d+$/, '').toLowerCase()
}
