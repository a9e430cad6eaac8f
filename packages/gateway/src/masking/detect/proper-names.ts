import type { Detector, Entity, Span } from './span.ts'

/**
 * People, places and organizations in running text, by how names are written in European languages and by the words around
 * them. Without a model or a list of names it takes many a title for a name and misses what is written in small letters:
 * measured in bench/README.md, not among the default detectors, and no protection by itself.
 */
export const properNameDetector: Detector = {
  entities: ['person', 'location', 'organization'],
  reach: 'lines',
  find: (text) => [...namesIn(text), ...addressesIn(text)],
}

const PARTICLE =
  "(?:van der|van den|van de|von der|de la|de los|van|von|der|den|de|del|della|di|da|dos|du|la|le|el|al|bin|ibn|y|e|af|av|zu|zur|ten|ter|O')"
const WORD = "(?:\\p{Lu}[\\p{L}\\p{M}]*(?:['’.-]\\p{L}[\\p{L}\\p{M}]*)*\\.?)"
const NAME = new RegExp(`(?<![\\p{L}\\p{N}_@./'’-])${WORD}(?:[ ](?:${PARTICLE}[ ])?${WORD})*`, 'gu')

/** Words that begin sentences, and that are written large without being a name. */
const COMMON = new Set(
  (
    'a about actually after all also am an and any anyone are as at be because been before being but by can card cards could dear ' +
    'did do does during each even every everyone excuse few for from get give go had has have he hello help her here hers hey hi ' +
    'his how however i if in is it its just know last later let like live many may maybe me meet might mine more most mr mrs ms miss ' +
    'dr sir madam prof much must my name need new next no not nothing now of off ok okay on once one only or other our out over ' +
    'please question really regards see send several shall she should since so some someone still such take tell than thank thanks ' +
    'that the their them then there these they think this those though through to today tomorrow too two under until up us user very ' +
    'want was we well were what when where whether which while who whom whose why will with without would yes yesterday yet you your ' +
    'monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october ' +
    'november december i bot user agent customer client patient employee account number tel company manager title address phone mobile ' +
    'fax desk office email e-mail website info date zip iban ssn atm asap pin id url http https usa uk eu english german french spanish ' +
    'italian dutch portuguese russian chinese japanese american british european greek polish internet christmas easter god'
  ).split(' '),
)

const COMPANY =
  /(?:^|[ ,])(?:Inc|LLC|Ltd|Limited|Corp|Corporation|Co|Company|GmbH|AG|SA|S\.A|SRL|BV|NV|Oy|AB|PLC|LP|LLP|Group|Holdings?|Labs?|Software|Systems|Solutions|Services|Technologies|Research|Partners|Bank|University|Institute|Hospital|School|Foundation|Association|Orchestra|Ministry|Agency)\.?$/u
const STREET =
  /(?:^|[ ])(?:Street|St|Road|Rd|Avenue|Ave|Av|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Squares|Terrace|Way|Highway|Parkway|Row|Crescent|Rapids|Apt|Suite|Unit|Box|Rue|Calle|Via|Viale|Plaza|Platz|Weg|Gasse|Allee|C)\.?$|(?:stra(?:ß|ss)e|straat|weg|gasse|gade|gatan|vägen|vej|utca|ulica|katu|tie|laan)$/iu

/** The names of all countries, from the platform's own data (Unicode CLDR). */
const COUNTRIES: ReadonlySet<string> = countryNames()

const BEFORE_PERSON =
  /(?:\b(?:name(?:d)?(?: is| was| him| her| to)?|called|i'm|i am|this is|mr\.?|mrs\.?|ms\.?|miss|dr\.?|prof\.?|sir|dear|hello|hi|hey|by|with|said|told|tell|met|partner|brother|sister|mother|father|son|daughter|wife|husband|friend|guardian|under|sincerely,?|regards,?|contact|ask(?: for)?|leave me|influenced by|starring|commenter|account of|on behalf of|signed)|[;:(]|name:)\s{0,2}$/iu
const BEFORE_PLACE =
  /\b(?:in|from|to|at|near|around|of|via|visit(?:ed|ing)?|leav(?:e|ing)|arriv(?:e|ed|ing) (?:at|in)|travel(?:l?ed|l?ing)? to|live[sd]? in|based in|born in|moved? (?:here )?(?:from|to)|originally from|serving|north(?:ern)?|south(?:ern)?|east(?:ern)?|west(?:ern)?|city of|town of)\s$/iu
const BEFORE_COMPANY =
  /\b(?:work(?:s|ed|ing)?(?: for| at)|employee of|hired by|became|founded|office of|ceo of|at)\s$/iu
const AFTER_PERSON =
  /^(?:['’]s\b|,? (?:said|says|lives?|lived|spent|listed|was born|is from|was a|is a very|had|told|wrote|asked)\b|, (?:can|could|please|the)\b)/u

function namesIn(text: string): Span[] {
  return [...text.matchAll(NAME)].flatMap(({ 0: found, index }): Span[] => {
    const words = found.split(' ')
    let start = index
    while (words.length > 0 && isCommon(words[0] ?? '')) start += (words.shift() ?? '').length + 1
    while (words.length > 0 && isCommon(words.at(-1) ?? '')) words.pop()
    const name = words
      .join(' ')
      .replace(/(?<=\p{Ll}{2})\.$/u, '')
      .replace(/['’]s$/u, '')
    if (!/\p{L}{2}/u.test(name) || /^[\p{Lu}\d.]{1,4}$/u.test(name)) return []
    const end = start + name.length
    // In quotation marks it is the title of something.
    if (/["“]$/u.test(text.charAt(start - 1)) && /^["”]/u.test(text.slice(end))) return []
    const house = houseNumbers(text, start, end)
    if (house !== undefined) return [{ entity: 'location', ...house, score: 0.42 }]
    const before = text.slice(Math.max(0, start - 40), start)
    const entity = kindOf(name, words.length, before, text.slice(end, end + 20))
    return entity === undefined ? [] : [{ entity, start, end, score: 0.4 }]
  })
}

/** A house number or postal code stands right beside the names of streets and places; a year beside others. */
function houseNumbers(text: string, start: number, end: number): { start: number; end: number } | undefined {
  const before =
    /(?:(?<![\d.,:/-])\d{1,6}[ ]){1,2}$/u.exec(text.slice(Math.max(0, start - 16), start))?.[0] ?? ''
  const after =
    /^,?[ ]\d{1,6}(?:[-/]\d{1,4})?\.?(?![\d:%]|[-./]\d|[ ]?(?:am|pm|years?|st|nd|rd|th)\b)/u.exec(
      text.slice(end, end + 16),
    )?.[0] ?? ''
  const isYear = (number: string): boolean => /^[ ,]*(?:1[89]|20)\d{2}\.?[ ]*$/u.test(number)
  const from = before === '' || isYear(before) ? start : start - before.length
  const to = after === '' || isYear(after) ? end : end + after.length
  return from === start && to === end ? undefined : { start: from, end: to }
}

function kindOf(name: string, words: number, before: string, after: string): Entity | undefined {
  if (COUNTRIES.has(name.toLowerCase())) return 'location'
  if (COMPANY.test(name) && words > 1) return 'organization'
  if (STREET.test(name)) return 'location'
  // The lines below a street: the town, the country.
  if (/\d[^\n]{0,24}\n\s{0,2},?\s{0,2}$/u.test(before)) return 'location'
  if (BEFORE_PERSON.test(before)) return 'person'
  if (AFTER_PERSON.test(after)) return 'person'
  const startsSentence = /(?:^|[.!?:"“\n]\s*)$/u.test(before)
  if (BEFORE_COMPANY.test(before) && !/\bat\s$/u.test(before)) return 'organization'
  if (BEFORE_PLACE.test(before)) return words > 1 && /\b(?:of|to)\s$/u.test(before) ? 'person' : 'location'
  if (words === 1) return startsSentence ? undefined : 'person'
  return words <= 4 ? 'person' : undefined
}

// A house number before or behind a street, with what is said of the flat and the place, up to the end of the line.
const ADDRESS = new RegExp(
  `(?<![\\p{L}\\p{N}.])\\d{1,6}(?:[ ]\\d{1,5})?[ ](?:[\\p{L}'’./-]+[ ]){0,4}?(?:Street|St|Road|Rd|Avenue|Ave|Lane|Drive|Dr|Boulevard|Blvd|Court|Place|Squares?|Terrace|Way|Rapids|[\\p{L}]+stra(?:ß|ss)e|[\\p{L}]+straat|[\\p{L}]+gade|utca|u|út)(?![\\p{L}])\\.?(?:[ ]\\d{1,5}\\.?)?(?:,?[ ](?:Apt|Suite|Unit|Flat)\\.?[ ]\\d{1,5})?` +
    `|(?<![\\p{L}\\p{N}.])(?:ul\\.|Rue|Calle|Via|C\\/|PSC|Unit|Box|Apt\\.?|Suite|FPO|APO|DPO|USNV|USNS|USS)[ ][\\p{L}\\p{N}'’. ,-]{1,40}?\\d{1,6}(?![\\p{L}\\p{N}])`,
  'gu',
)

function addressesIn(text: string): Span[] {
  return [...text.matchAll(ADDRESS)].map(({ 0: found, index }) => ({
    entity: 'location',
    start: index,
    end: index + found.length,
    score: 0.45,
  }))
}

function isCommon(word: string): boolean {
  return COMMON.has(word.toLowerCase().replace(/[.,'’].*$/u, '')) || /^(?:I|I['’]\p{L}+)$/u.test(word)
}

function countryNames(): Set<string> {
  const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' })
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('')
  const codes = letters.flatMap((first) => letters.map((second) => first + second))
  return new Set(codes.flatMap((code) => names.of(code)?.toLowerCase() ?? []))
}
