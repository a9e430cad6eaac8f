/** At the speed of memory: an "@", a digit, and what keys and names of secrets without either begin or go on with. */
const COARSE = /[@\d]|A[KSBC][IC]A|eyJ|ssw|SSW|ecret|ECRET|oken|OKEN|[kK]ey|KEY/

/**
 * What the formats of the default detectors have in common with little else: an "@"; seven digits close together; addresses'
 * dots and colons; the beginnings of short national numbers; a word that says birth, licence or secret. One by one each is a
 * search for few characters; as one alternation they would take ten times as long.
 */
const TRACES: readonly RegExp[] = [
  /\d(?:[ \-.()/]{0,3}\d){6}/,
  /@/,
  /\d\.\d{1,3}\.\d/,
  /:[0-9a-f]{0,4}:/i,
  /[A-Z]{2} ?\d{2} ?(?:\d{2} ?\d{2}|[A-Z0-9]{4} ?[A-Z0-9]{4})/i,
  /\d{6}[A-FU-Y]\d{3}/i,
  /passw|secret|key|token|:\/\//i,
  // Read as Latin-1, an "é" of UTF-8 is "Ã©".
  /born|birth|dob|d\.o\.b|gebor|geburt|n(?:é|Ã©|e)e|naiss|nac[io]|nasc/i,
  /licen[cs]|\blic\b|\bDLN?\b|schein|permis/i,
]

/** The shortest key or token that is told by its format alone has sixteen letters, digits and signs in a row. */
const SHORTEST_KEY = 16
const IS_KEY_CHARACTER = Uint8Array.from({ length: 128 }, (_, code) =>
  /[\w+/.=-]/.test(String.fromCharCode(code)) ? 1 : 0,
)

/**
 * Asked before any detector: whether a text can hold anything that they find. False for most values of most rows, at the price
 * of a pass. May also be asked of a whole row's bytes read as Latin-1.
 */
export function mayHoldSensitive(text: string): boolean {
  return COARSE.test(text) && (TRACES.some((trace) => trace.test(text)) || holdsLongRun(text))
}

/** Looks at every sixteenth character, and around it only where that could be inside of a run. */
function holdsLongRun(text: string): boolean {
  for (let at = SHORTEST_KEY - 1; at < text.length; at += SHORTEST_KEY) {
    if (IS_KEY_CHARACTER[text.charCodeAt(at)] !== 1) continue
    let start = at
    while (start > 0 && at - start < SHORTEST_KEY && IS_KEY_CHARACTER[text.charCodeAt(start - 1)] === 1)
      start -= 1
    let end = at + 1
    while (end < text.length && end - start < SHORTEST_KEY && IS_KEY_CHARACTER[text.charCodeAt(end)] === 1)
      end += 1
    if (end - start >= SHORTEST_KEY) return true
  }
  return false
}
