import type { Mask } from '../access/masking.ts'
import { classOf } from './default-classes.ts'
import { replaceDetected } from './detect/detection-stream.ts'
import { mayHoldSensitive } from './detect/may-hold.ts'
import type { Detector } from './detect/span.ts'
import { maskJson } from './mask-json.ts'
import { redact } from './redact.ts'

/** The class that results name for what detectors found: a column can hold several. */
export const DETECTED = 'detected'

/**
 * A mask for texts that nobody classified: replaces what detectors find by the name of its class, `[pii.email]`, and leaves
 * everything else as it is. Texts and JSON only; other types hold what their column says.
 * @param detectors the default ones: `mayHoldSensitive` knows what they look for. Others are asked about every text
 */
export function detectionMask(detectors: readonly Detector[], knowsTraces: boolean): Mask {
  const replace = (text: string): string =>
    replaceDetected(text, detectors, ({ entity }) => `[${classOf(entity)}]`)
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
    ...inJson,
    apply: (value, kind) => {
      if ((kind !== 'text' && kind !== 'json') || (knowsTraces && !mayHoldSensitive(value))) return value
      return kind === 'json'
        ? maskJson(value, inJson, { keepsKey: (key) => replace(key) === key })
        : replace(value)
    },
  }
}
