import { follows } from './span.ts'
import type { Detector } from './span.ts'

const CANDIDATE =
  /(?<![\w-])(?:[A-Z]{1,3}\d{4,14}[A-Z]?|\d{7,12}|[A-Z]\d{3}-\d{4}-\d{4}|\d{3,4}-\d{2}-\d{3,4}|[A-Z]\d{2}-\d{2}-\d{4})(?![\w-])/gi
const WORDS = /\bdriv\w*(?:'?s)?[ -]?(?:licen[cs]e|lic)|\bDLN?\b|f[uü]hrerschein|permis de conduire/i

/** Driving licences. Every state has its own format and none a check, so a word that says so must stand before. */
export const driverLicenseDetector: Detector = {
  entities: ['driver-license'],
  reach: 'tokens',
  find: (text) =>
    WORDS.test(text)
      ? [...text.matchAll(CANDIDATE)].flatMap(({ 0: found, index }) =>
          follows(text, index, WORDS)
            ? [{ entity: 'driver-license', start: index, end: index + found.length, score: 0.97 }]
            : [],
        )
      : [],
}
