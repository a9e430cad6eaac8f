import { follows } from './span.ts'
import type { Detector } from './span.ts'

// RFC 5322 §3.2.3 atoms, RFC 1035 labels. A character that an address can hold cannot stand before one.
const EMAIL =
  /(?<![\w.!#$%&'*+/=?^`{|}~-])[\w!#$%&'*+/=?^`{|}~.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}(?:[a-z]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-])/gi
// Quotation marks and separators around an address are atoms as well, but nobody's address begins with them.
const AROUND = /^['`*=|{}/.]+/

/** In `scheme://user:password@host` it is the password that matters. */
const URL_USER = /:\/\/[^\s/@:]{0,60}:$/

/** E-mail addresses as people write them: no quoted local parts, no address literals. */
export const emailDetector: Detector = {
  entities: ['email'],
  reach: 'tokens',
  find: (text) =>
    text.includes('@')
      ? [...text.matchAll(EMAIL)].flatMap(({ 0: found, index }) => {
          const before = AROUND.exec(found)?.[0].length ?? 0
          if (found.charAt(before) === '@' || follows(text, index, URL_USER)) return []
          return [{ entity: 'email', start: index + before, end: index + found.length, score: 1 }]
        })
      : [],
}
