import { follows } from './span.ts'
import type { Detector } from './span.ts'

const MONTH =
  '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)'
const CLOCK = '(?:[ T]\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,9})?)?(?:Z|[+-]\\d{2}:?\\d{2})?)?'
const FULL_DATE = `\\d{4}-\\d{2}-\\d{2}${CLOCK}|\\d{1,2}[/.-]\\d{1,2}[/.-](?:\\d{4}|\\d{2})|${MONTH}\\.? \\d{1,2}(?:st|nd|rd|th)?,? \\d{4}|\\d{1,2}(?:st|nd|rd|th)? ${MONTH}\\.?,? \\d{4}`
const PART_OF_DATE = `${MONTH}\\.? \\d{1,2}(?:st|nd|rd|th)?(?!\\d)|\\d{1,2} ${MONTH}|(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:18|19|20)\\d{2}`

const DATES = new RegExp(`(?<![\\w.-])(?:${FULL_DATE})(?![\\w]|-\\d)`, 'gi')
const ALL_DATES = new RegExp(`(?<![\\w.,/-])(?:${FULL_DATE}|${PART_OF_DATE})(?![\\w]|[-/]\\d)`, 'gi')
const BIRTH =
  /\b(?:born|birth(?:day|date)?|dob|d\.o\.b\.?|geboren|geburtsdatum|n[ée]e?|naissance|nacid[oa]|nacimiento|nascimento)\b/i

/** Dates that are said to be somebody's birth. */
export const birthdateDetector: Detector = {
  entities: ['birthdate'],
  // A month's name before the digits is known to `SafeCuts`.
  reach: 'tokens',
  find: (text) =>
    BIRTH.test(text)
      ? [...text.matchAll(DATES)].flatMap(({ 0: found, index }) =>
          follows(text, index, BIRTH, 40)
            ? [{ entity: 'birthdate', start: index, end: index + found.length, score: 0.9 }]
            : [],
        )
      : [],
}

/** Every date, weekday and year. Most are nobody's secret: for texts in which a date together with a place is. */
export const dateDetector: Detector = {
  entities: ['date'],
  reach: 'lines',
  find: (text) =>
    [...text.matchAll(ALL_DATES)].map(({ 0: found, index }) => ({
      entity: 'date',
      start: index,
      end: index + found.length,
      score: 0.5,
    })),
}

const AGE =
  /(?<![\w.])\d{1,3}(?=[ -]?(?:years?|y\/o|yo|yrs?)\b)|(?<=\b(?:turn(?:ed|ing|s)?|aged?(?: of)?|am|was) )\d{1,3}(?=[\s.,;!?]|$)/gi

export const ageDetector: Detector = {
  entities: ['age'],
  reach: 'lines',
  find: (text) =>
    [...text.matchAll(AGE)].map(({ 0: found, index }) => ({
      entity: 'age',
      start: index,
      end: index + found.length,
      score: 0.6,
    })),
}
