import { lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/**
 * Addresses behind which there is no receiver of webhooks, but something that trusts whoever reaches it: the machine
 * itself, link-local neighbours, the metadata services of clouds, groups (RFC 6890; fd00:ec2::254 is Amazon's). Private
 * networks are not among them: receivers live there.
 */
const CLOSED: readonly (readonly [network: string, bits: number, family: 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['100.100.100.200', 32, 'ipv4'],
  ['168.63.129.16', 32, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['::1', 128, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['fd00:ec2::', 32, 'ipv6'],
  ['fd20:ce::', 32, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
  // IPv4 in IPv6 by other ways than ::ffff:, which BlockList knows.
  ['64:ff9b::', 96, 'ipv6'],
  ['2002::', 16, 'ipv6'],
  ['::', 96, 'ipv6'],
]

/** Which addresses may be reached. Asked for every connection, after the name is resolved: a name can change its mind. */
export class AddressGuard {
  readonly #closed = new BlockList()
  readonly #allowed = new BlockList()

  /** @param allowed networks in CIDR form that are reached all the same */
  constructor(allowed: readonly string[]) {
    for (const [network, bits, family] of CLOSED) this.#closed.addSubnet(network, bits, family)
    for (const cidr of allowed) {
      const [network = '', bits] = cidr.split('/')
      this.#allowed.addSubnet(network, Number(bits), isIP(network) === 6 ? 'ipv6' : 'ipv4')
    }
  }

  permits(address: string): boolean {
    const family = isIP(address)
    if (family === 0) return false
    const type = family === 6 ? 'ipv6' : 'ipv4'
    return this.#allowed.check(address, type) || !this.#closed.check(address, type)
  }

  /** Resolves as the system does, and fails when any of the addresses may not be reached. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0)
      const bad = addresses.find(({ address }) => !this.permits(address))
      const [first] = addresses
      if (bad !== undefined || first === undefined) {
        return callback(new AddressClosed(hostname, bad?.address ?? 'no address'), '', 0)
      }
      if (options.all === true) return callback(null, addresses)
      return callback(null, first.address, first.family)
    })
  }
}

/** The receiver's name leads to where nothing is sent. */
export class AddressClosed extends Error {
  constructor(host: string, address: string) {
    super(`${host} is ${address}, which webhooks do not reach; see webhooks.allowAddresses`)
    this.name = 'AddressClosed'
  }
}
