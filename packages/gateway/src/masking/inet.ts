import { isIPv4, isIPv6 } from 'node:net'

/** An `inet` or `cidr` value. */
export interface Inet {
  readonly width: 32 | 128
  readonly address: bigint
  /** The length of the network's prefix, where it is written. */
  readonly prefix: number | undefined
}

export function readInet(text: string): Inet | undefined {
  const [, address = '', prefix] = /^([0-9A-Fa-f.:]{2,45})(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const width = isIPv4(address) ? 32 : isIPv6(address) ? 128 : undefined
  if (width === undefined || Number(prefix ?? 0) > width) return undefined
  return {
    width,
    address: width === 32 ? ipv4(address) : ipv6(address),
    prefix: prefix === undefined ? undefined : Number(prefix),
  }
}

/** IPv6 as RFC 5952 has it. */
export function writeInet({ width, address, prefix }: Inet): string {
  const text = width === 32 ? ipv4Text(address) : ipv6Text(address)
  return prefix === undefined ? text : `${text}/${prefix}`
}

/** The network of an address: /24 and /48, as is usual for addresses in logs. What is none becomes 0.0.0.0. */
export function coarsenInet(text: string): string {
  const inet = readInet(text)
  if (inet === undefined) return '0.0.0.0'
  const hidden = BigInt(inet.width === 32 ? 8 : 80)
  return writeInet({ ...inet, address: (inet.address >> hidden) << hidden })
}

function ipv4(text: string): bigint {
  return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
}

function ipv6(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const last = ipv4(dotted?.[2] ?? '0.0.0.0')
  const groups =
    dotted === null ? text : `${dotted[1]}${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}`
  const [before = '', after] = groups.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return [...head, ...zeros, ...tail].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}

function ipv4Text(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.')
}

function ipv6Text(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((address >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  )
  const runs = [...groups.join(':').matchAll(/(?<![^:])0(?::0)+(?![^:])/g)]
  const longest = runs.reduce<string>((best, [run]) => (run.length > best.length ? run : best), '')
  if (longest === '') return groups.join(':')
  const [before = '', ...rest] = groups.join(':').split(longest)
  return `${before.replace(/:$/, '')}::${rest.join(longest).replace(/^:/, '')}`
}
