import { LRUCache } from 'lru-cache'
import type { ClassPattern, Mask } from '../access/masking.ts'
import { DETECTED } from '../access/masking.ts'
import { classOf } from './default-classes.ts'
import { replaceDetected } from './detect/detection-stream.ts'
import { patternDetectors } from './detect/detectors.ts'
import { mayHoldSensitive } from './detect/may-hold.ts'
import { properNameDetector } from './detect/proper-names.ts'
import type { Span } from './detect/span.ts'
import { userPatternDetector } from './detect/user-pattern.ts'
import { maskJson } from './mask-json.ts'
import { redact } from './redact.ts'

/** Sets of patterns: those in force, and those before that some session still uses. */
const MAX_SETS = 8

/** Masks of what detectors find, made once for each set of patterns. */
export class DetectionMasks {
  readonly #masks = new LRUCache<string, Mask>({ max: MAX_SETS })

  /**
   * @param names whether names and places are looked for as well, which takes many another word for one
   * @throws PatternInvalid
   */
  for(patterns: readonly ClassPattern[], names: boolean): Mask {
    const key = JSON.stringify([patterns, names])
    const mask = this.#masks.get(key) ?? detectionMask(patterns, names)
    this.#masks.set(key, mask)
    return mask
  }
}

/**
 * A mask for texts that nobody classified: replaces what detectors find by the name of its class, `[pii.email]`, and leaves
 * everything else as it is. Texts and JSON only; other types hold what their column says.
 */
function detectionMask(patterns: readonly ClassPattern[], names: boolean): Mask {
  const own = [...patterns.map(userPatternDetector), ...(names ? [properNameDetector] : [])]
  const all = [...patternDetectors(), ...own]
  const name = ({ entity, rule }: Span): string =>
    `[${entity === 'custom' && rule !== undefined ? rule : classOf(entity)}]`
  const replace = (text: string): string => {
    // Formats are only looked for where they can be; what users' patterns and names look like, nobody knows.
    const detectors = mayHoldSensitive(text) ? all : own
    return detectors.length === 0 ? text : replaceDetected(text, detectors, name)
  }
  const inJson: Mask = {
    dataClass: DETECTED,
    method: 'redact',
    // In JSON a number can be a card's: what is found in it becomes the number that stands for any.
    apply: (value, kind) => {
      const replaced = kind === 'boolean' ? value : replace(value)
      return replaced === value || kind === 'text' ? replaced : redact(value, kind)
    },
  }
  return {
    dataClass: DETECTED,
    method: 'redact',
    apply: (value, kind) => {
      if (kind === 'text') return replace(value)
      if (kind !== 'json' || (own.length === 0 && !mayHoldSensitive(value))) return value
      return maskJson(value, inJson, { keepsKey: (key) => replace(key) === key })
    },
  }
}
