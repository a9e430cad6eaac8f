import type { CountryCode } from 'libphonenumber-js/max'
import { cardDetector } from './card.ts'
import { ageDetector, birthdateDetector, dateDetector } from './dates.ts'
import { driverLicenseDetector } from './driver-license.ts'
import { emailDetector } from './email.ts'
import { ibanDetector } from './iban.ts'
import { ipAddressDetector } from './ip-address.ts'
import { nationalIdDetector } from './national-ids.ts'
import { phoneDetector } from './phone.ts'
import { privateKeyDetector } from './private-key.ts'
import { resolveOverlaps } from './resolve-overlaps.ts'
import { apiKeyDetector } from './secrets.ts'
import type { Detector, Span } from './span.ts'
import { urlDetector } from './url.ts'
import { usSsnDetector } from './us-ssn.ts'

export interface DetectorOptions {
  /** Whose national phone numbers are looked for. */
  readonly phoneRegions?: readonly CountryCode[]
}

/** United States, United Kingdom, Germany, France, India, Australia: a number has to be valid in one of them. */
const PHONE_REGIONS: readonly CountryCode[] = ['US', 'GB', 'DE', 'FR', 'IN', 'AU']

/** The detectors that are sure enough of what they find to be used on any text. */
export function patternDetectors({
  phoneRegions = PHONE_REGIONS,
}: DetectorOptions = {}): readonly Detector[] {
  return [
    emailDetector,
    phoneDetector(phoneRegions),
    cardDetector,
    ibanDetector,
    usSsnDetector,
    nationalIdDetector,
    driverLicenseDetector,
    ipAddressDetector,
    apiKeyDetector,
    privateKeyDetector,
    birthdateDetector,
  ]
}

/** Things that are sensitive only in company: URLs, dates, ages. */
export const CIRCUMSTANTIAL_DETECTORS: readonly Detector[] = [urlDetector, dateDetector, ageDetector]

/** What the detectors find in a text that is no longer than a few screens; longer ones go through `DetectionStream`. */
export function detect(text: string, detectors: readonly Detector[]): readonly Span[] {
  return resolveOverlaps(detectors.flatMap((detector) => detector.find(text)))
}
