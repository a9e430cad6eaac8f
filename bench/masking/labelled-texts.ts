import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { TypedSpan } from './score-spans.ts'

const FILE = fileURLToPath(new URL('../../../shared/corpus/pii_synth_dev.json', import.meta.url))

export interface LabelledText {
  readonly text: string
  readonly gold: readonly TypedSpan[]
}

/** The labelled set beside the repository; undefined when it is not there. */
export function labelledTexts(): readonly LabelledText[] | undefined {
  if (!existsSync(FILE)) return undefined
  const { items } = JSON.parse(readFileSync(FILE, 'utf8')) as {
    items: {
      full_text: string
      spans: { entity_type: string; start_position: number; end_position: number }[]
    }[]
  }
  return items.map(({ full_text, spans }) => ({
    text: full_text,
    gold: spans.map((span) => ({
      type: TYPES[span.entity_type] ?? span.entity_type.toLowerCase(),
      start: span.start_position,
      end: span.end_position,
    })),
  }))
}

/** The set's types by the names that the detectors use. */
const TYPES: Readonly<Record<string, string>> = {
  EMAIL_ADDRESS: 'email',
  PHONE_NUMBER: 'phone',
  CREDIT_CARD: 'card',
  IBAN_CODE: 'iban',
  US_SSN: 'us-ssn',
  US_DRIVER_LICENSE: 'driver-license',
  IP_ADDRESS: 'ip-address',
  DOMAIN_NAME: 'url',
  DATE_TIME: 'date',
  AGE: 'age',
  PERSON: 'person',
  STREET_ADDRESS: 'location',
  GPE: 'location',
  ORGANIZATION: 'organization',
}
