// What detectors find of a labelled set, and what masking costs: npm run bench:masking
import {
  CIRCUMSTANTIAL_DETECTORS,
  detect,
  patternDetectors,
} from '../packages/gateway/src/masking/detect/detectors.ts'
import { mayHoldSensitive } from '../packages/gateway/src/masking/detect/may-hold.ts'
import { properNameDetector } from '../packages/gateway/src/masking/detect/proper-names.ts'
import type { Detector } from '../packages/gateway/src/masking/detect/span.ts'
import { elapsed } from './masking/elapsed.ts'
import { type LabelledText, labelledTexts } from './masking/labelled-texts.ts'
import { maskRates } from './masking/mask-rates.ts'
import {
  f2,
  leaked,
  precision,
  recall,
  type Sample,
  type Score,
  type Scorer,
  score,
  total,
} from './masking/score-spans.ts'
import { type Aim, formatAims, formatTable, number, progress } from './report.ts'

/** The types whose values have a pattern. */
const PATTERNS = ['card', 'phone', 'us-ssn', 'email', 'iban', 'url', 'ip-address', 'driver-license'] as const
const CIRCUMSTANTIAL = ['date', 'age'] as const
/** Found only where names are looked for, which is off by default. */
const NAMES = ['person', 'location', 'organization'] as const
/** Of these not a character may stay readable. */
const NEVER_LEAKED = ['card', 'us-ssn', 'email', 'iban'] as const

const DETECTORS: readonly Detector[] = [...patternDetectors(), ...CIRCUMSTANTIAL_DETECTORS]

function main(): boolean {
  const aims: Aim[] = []
  const texts = labelledTexts()
  if (texts === undefined) {
    progress('NOT MEASURED: what detectors find. The labelled texts are not in ../shared/corpus')
  } else {
    aims.push(...detection(texts))
  }
  aims.push(...rates())
  process.stdout.write(`${formatAims(aims)}\n`)
  return aims.every(({ met }) => met)
}

function detection(texts: readonly LabelledText[]): Aim[] {
  const samplesWith = (detectors: readonly Detector[]): readonly Sample[] =>
    texts.map(({ text, gold }) => {
      const found = detect(text, detectors)
      return { text, gold, found: found.map(({ entity, start, end }) => ({ type: entity, start, end })) }
    })
  const samples = samplesWith(DETECTORS)
  const named = samplesWith([...DETECTORS, properNameDetector])
  const scored = (of: readonly Sample[], types: readonly string[], scorer: Scorer): Score =>
    total(types.map((type) => score(of, type, scorer)))
  const row = (name: string, of: readonly Sample[], types: readonly string[]): string[] => {
    const [one, other] = [scored(of, types, 'published'), scored(of, types, 'fixed')]
    return [
      name,
      String(one.gold),
      ...[precision(one), recall(one), f2(one), f2(other)].map((value) => number(value, 3)),
      `${number(100 * Math.max(...types.map((type) => leaked(of, type))), 1)} %`,
    ]
  }
  const kilobytes = texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) / 1024
  const withNames = elapsed(() => {
    for (const { text } of texts) properNameDetector.find(text)
  })
  const anything = named.map(({ text, gold, found }): Sample => {
    const asPii = (spans: Sample['gold']): Sample['gold'] => spans.map((span) => ({ ...span, type: 'pii' }))
    return { text, gold: asPii(gold), found: asPii(found) }
  })
  const all = score(anything, 'pii', 'published')
  process.stdout.write(
    `${formatTable({
      title: `What the detectors find in ${texts.length} labelled texts`,
      columns: ['type', 'labels', 'precision', 'recall', 'F2 published', 'F2 fixed', 'readable'],
      rows: [
        ...PATTERNS.map((type) => row(type, samples, [type])),
        row('all eight', samples, PATTERNS),
        ...CIRCUMSTANTIAL.map((type) => row(type, samples, [type])),
        ...NAMES.map((type) => row(`${type} (off)`, named, [type])),
        [
          'any type, names on',
          String(all.gold),
          ...[precision(all), recall(all), f2(all), f2(score(anything, 'pii', 'fixed'))].map((value) =>
            number(value, 3),
          ),
          `${number(100 * leaked(anything, 'pii'), 1)} %`,
        ],
      ],
      notes: [
        'published: as presidio-research counts; fixed: only adjacent spans are one (bench/README.md)',
        '(off): not among the default detectors',
        `names take ${number(withNames / kilobytes)} µs per KB`,
        'readable: labels of which at least one letter or digit is covered by no span',
      ],
    })}\n`,
  )
  const cost = elapsed(() => {
    for (const { text } of texts) detect(text, DETECTORS)
  })
  const f2OfPatterns = f2(scored(samples, PATTERNS, 'published'))
  const worst = Math.max(...NEVER_LEAKED.map((type) => leaked(samples, type)))
  return [
    { what: 'F2 of any type, names on', aim: '≥ 0.720', got: number(f2(all), 3), met: f2(all) >= 0.72 },
    { what: 'F2 of the eight', aim: '≥ 0.965', got: number(f2OfPatterns, 3), met: f2OfPatterns >= 0.965 },
    {
      what: 'readable cards, SSNs, e-mails, IBANs',
      aim: '0 %',
      got: `${number(worst * 100, 1)} %`,
      met: worst === 0,
    },
    {
      what: 'all detectors, µs per KB',
      aim: '≤ 400',
      got: number(cost / kilobytes),
      met: cost / kilobytes <= 400,
    },
  ]
}

function rates(): Aim[] {
  const found = maskRates()
  process.stdout.write(
    `${formatTable({
      title: 'Masks, four of eight columns, by themselves',
      columns: ['masks', 'rows a second', 'µs per value'],
      rows: found.map(({ name, rowsPerSecond, microsecondsPerValue }) => [
        name,
        number(rowsPerSecond),
        number(microsecondsPerValue, 2),
      ]),
    })}\n`,
  )
  const prefilter = megabytesPerSecond()
  process.stdout.write(
    `${formatTable({
      title: 'The question asked before any detector',
      columns: ['texts', 'MB a second'],
      rows: Object.entries(prefilter).map(([name, rate]) => [name, number(rate)]),
    })}\n`,
  )
  const partial = Math.min(
    ...found.filter(({ name }) => name.startsWith('partial')).map((rate) => rate.rowsPerSecond),
  )
  return [
    {
      what: 'rows a second, four partial masks',
      aim: '≥ 250000',
      got: number(partial),
      met: partial >= 250_000,
    },
  ]
}

/** Of texts in which there is nothing, as they are in most rows. */
function megabytesPerSecond(): Readonly<Record<string, number>> {
  const rate = (of: (n: number) => string): number => {
    const texts = Array.from({ length: 20_000 }, (_, n) => Buffer.from(of(n)))
    const bytes = texts.reduce((sum, { length }) => sum + length, 0)
    let held = 0
    const cost = elapsed(() => {
      for (const text of texts) if (mayHoldSensitive(text.toString('latin1'))) held += 1
    })
    if (held > 0) throw new Error('there was something in them')
    return bytes / cost
  }
  const words = 'the quick brown fox jumps over the lazy dog and runs away '
  return {
    'words, 58 bytes': rate(() => words),
    'words, 580 bytes': rate(() => words.repeat(10)),
    'words and short numbers, 64 bytes': rate((n) => `${words}${n % 100_000}`),
  }
}

process.exitCode = main() ? 0 : 1
