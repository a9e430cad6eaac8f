import type { Detector } from './span.ts'

const URL_TEXT = /(?<![A-Za-z0-9])(?:(?:https?|ftp):\/\/|www\.[A-Za-z0-9-]{1,63}\.)[^\s<>"'`]{2,2048}/gi
/** Punctuation at the end belongs to the sentence. */
const SENTENCE_END = /[.,;:!?)\]}]+$/

export const urlDetector: Detector = {
  entities: ['url'],
  reach: 'tokens',
  find: (text) =>
    /:\/\/|www\./i.test(text)
      ? [...text.matchAll(URL_TEXT)].map(({ 0: found, index }) => ({
          entity: 'url',
          start: index,
          end: index + found.replace(SENTENCE_END, '').length,
          score: 0.95,
        }))
      : [],
}
