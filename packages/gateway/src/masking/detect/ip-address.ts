import { isIPv6 } from 'node:net'
import type { Detector, Span } from './span.ts'

const OCTET = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)'
// With the length of its network's prefix, where there is one.
const IPV4 = new RegExp(
  `(?<![\\w.-])${OCTET}(?:\\.${OCTET}){3}(?:/(?:3[0-2]|[12]?\\d)(?![\\d/]))?(?![\\w-])`,
  'g',
)
/** What an IPv6 address can be written with (RFC 4291 §2.2); whether it is one, Node says. */
const IPV6 =
  /(?<![\w:.])([0-9a-f:]{2,39}(?:\.\d{1,3}){0,3})(?![\w:])((?:%[\w.-]{1,15})?(?:\/(?:12[0-8]|1[01]\d|[1-9]?\d)(?![\d/]))?)/gi

export const ipAddressDetector: Detector = {
  entities: ['ip-address'],
  reach: 'tokens',
  find: (text) => {
    const spans: Span[] = []
    for (const { 0: found, index } of text.matchAll(IPV4)) {
      spans.push({ entity: 'ip-address', start: index, end: index + found.length, score: 0.9 })
    }
    if (!text.includes(':')) return spans
    for (const { 0: found, 1: address = '', index } of text.matchAll(IPV6)) {
      // `a::b` is a name in several languages.
      if (/\d/.test(address) && isIPv6(address)) {
        spans.push({ entity: 'ip-address', start: index, end: index + found.length, score: 0.95 })
      }
    }
    return spans
  },
}
