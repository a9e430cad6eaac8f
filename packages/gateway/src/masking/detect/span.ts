/** What kinds of sensitive text are found. */
export const ENTITIES = [
  'email',
  'phone',
  'card',
  'iban',
  'us-ssn',
  'national-id',
  'driver-license',
  'ip-address',
  'url',
  'jwt',
  'api-key',
  'private-key',
  'birthdate',
  'date',
  'age',
  'person',
  'location',
  'organization',
  'custom',
] as const
export type Entity = (typeof ENTITIES)[number]

/** A piece of a text, from `start` up to `end` in UTF-16 units. */
export interface Span {
  readonly entity: Entity
  readonly start: number
  readonly end: number
  /** 0 to 1: how sure the detector is. Where spans overlap, the surest counts. */
  readonly score: number
  /** Which rule of several found it: `nl-bsn`, `aws-access-key`, the name of a user's pattern. */
  readonly rule?: string
}

/** Finds spans. Pure, in time linear in the text, and what it says of a place depends on little around it. */
export interface Detector {
  readonly entities: readonly Entity[]
  /**
   * `tokens`: a span holds white space only between groups of digits and letters of one number. `lines`: it may hold spaces,
   * but no line break. That is what tells where a stream may be cut.
   */
  readonly reach: 'tokens' | 'lines'
  /** Spans in any order; they may overlap. */
  find(text: string): readonly Span[]
}

/** How far before a number its name may stand (`card number: 4111…`), in UTF-16 units. */
export const CONTEXT = 64

/** Whether one of the words stands shortly before. */
export function follows(text: string, start: number, words: RegExp, within: number = CONTEXT): boolean {
  return words.test(text.slice(Math.max(0, start - within), start))
}

/** Seven digits close together, which is the least that numbers of people and things have: asked first, since it is cheap. */
export function holdsNumber(text: string): boolean {
  return /\d(?:[^\d\n]{0,3}\d){6}/.test(text)
}
