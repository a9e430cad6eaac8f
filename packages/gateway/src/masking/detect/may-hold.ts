/** At the speed of memory: an "@", a digit, and what keys and names of secrets without either begin or go on with. */
const COARSE = /[@\d]|A[KSBC][IC]A|eyJ|ssw|SSW|ecret|ECRET|oken|OKEN|[kK]ey|KEY/

/**
 * What the formats of the default detectors have in common with little else: an "@"; seven digits close together; addresses'
 * dots and colons; sixteen letters, digits and signs in a row, as keys and tokens are; the beginnings of short national
 * numbers; a word that says birth, licence or secret.
 */
const TRACES = new RegExp(
  [
    '@',
    '\\d(?:[ \\-.()/]{0,3}\\d){6}',
    '\\d\\.\\d{1,3}\\.\\d',
    ':[0-9a-f]{0,4}:',
    '[\\w+/.=-]{16}',
    '[A-Z]{2} ?\\d{2} ?(?:\\d{2} ?\\d{2}|[A-Z0-9]{4} ?[A-Z0-9]{4})',
    '\\d{6}[A-FU-Y]\\d{3}',
    'passw|secret|key|token|://',
    'born|birth|dob|d\\.o\\.b|gebor|geburt|n(?:é|Ã©|e)e|naiss|nac[io]|nasc',
    'licen[cs]|\\blic\\b|\\bDLN?\\b|schein|permis',
  ].join('|'),
  'i',
)

/**
 * Asked before any detector: whether a text can hold anything that they find. False for most values of most rows, at the price
 * of a pass. May also be asked of a whole row's bytes read as Latin-1: the one letter that is not ASCII is looked for in
 * both forms.
 */
export function mayHoldSensitive(text: string): boolean {
  return COARSE.test(text) && TRACES.test(text)
}
