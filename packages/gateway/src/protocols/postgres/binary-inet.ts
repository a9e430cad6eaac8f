import { isIPv4, isIPv6 } from 'node:net'
import { type BinaryCodec, notA } from './binary-values.ts'

/** PGSQL_AF_INET and PGSQL_AF_INET6 (inet.h); the same on every system. */
const IPV4 = 2
const IPV6 = 3

/** `inet_send`: Byte family, Byte prefix length, Byte is a cidr, Byte length of the address, and the address. */
export function inet(isCidr: boolean): BinaryCodec {
  return {
    decode(bytes, start, end) {
      const family = bytes[start] ?? 0
      const bits = bytes[start + 1] ?? 0
      const size = bytes[start + 3] ?? 0
      const isKnown = (family === IPV4 && size === 4) || (family === IPV6 && size === 16)
      if (!isKnown || end - start !== 4 + size) throw new RangeError('an inet is of no known family')
      const address = bytes.subarray(start + 4, end)
      const text = family === IPV4 ? address.join('.') : ipv6Text(address)
      return isCidr || bits !== size * 8 ? `${text}/${bits}` : text
    },
    encode(text) {
      const [address = '', prefix] = text.split('/')
      const bytes = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address, text)
      const bits = prefix === undefined ? bytes.length * 8 : Number(prefix)
      if (!Number.isInteger(bits) || bits < 0 || bits > bytes.length * 8) throw notA('inet', text)
      const family = bytes.length === 4 ? IPV4 : IPV6
      return Buffer.concat([Buffer.from([family, bits, isCidr ? 1 : 0, bytes.length]), bytes])
    },
  }
}

/** As `inet_out` writes it: the longest run of zeros left out, and an IPv4 address at the end where one is embedded. */
function ipv6Text(address: Buffer): string {
  const words = Array.from({ length: 8 }, (_, at) => address.readUInt16BE(at * 2))
  let start = -1
  let length = 1
  for (let at = 0; at < 8; at++) {
    let end = at
    while (end < 8 && words[end] === 0) end++
    if (end - at > length) {
      start = at
      length = end - at
    }
  }
  const embeds = start === 0 && (length === 6 || (length === 5 && words[5] === 0xffff))
  const tail = embeds ? [address.subarray(12).join('.')] : []
  const hex = words.slice(0, embeds ? 6 : 8).map((word) => word.toString(16))
  if (start < 0) return hex.join(':')
  const behind = [...hex.slice(start + length), ...tail]
  return `${hex.slice(0, start).join(':')}::${behind.join(':')}`
}

function ipv6Bytes(address: string, text: string): Buffer {
  if (!isIPv6(address) || address.includes('%')) throw notA('inet', text)
  const plain = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...octets: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = octets.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [before = '', behind] = plain.split('::')
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16))
  const head = words(before)
  const tail = behind === undefined ? [] : words(behind)
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail]
  const bytes = Buffer.alloc(16)
  for (const [at, word] of all.entries()) bytes.writeUInt16BE(word, at * 2)
  return bytes
}
