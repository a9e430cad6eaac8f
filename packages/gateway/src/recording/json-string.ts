/**
 * Code units that JSON writes as they are (RFC 8259 §7): all but the quotation mark, the backslash and the controls, and
 * but the surrogates, of which a lone one has to be escaped.
 */
const PLAIN = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/

/** A JSON string literal, equal to `JSON.stringify(text)`. Most statements need no escape and are only put in quotes. */
export function jsonString(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}
