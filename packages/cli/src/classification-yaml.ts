import { stringify } from 'yaml'
import type { ProposedClassification } from './gateway-module.ts'

/**
 * A proposal as the resources that `sallyport apply` takes: one field a line, with why behind it, so that a review is a matter
 * of deleting lines.
 */
export function classificationYaml(
  target: string,
  { fields, classes, freeTexts }: ProposedClassification,
): string {
  const texts =
    freeTexts.length === 0 ? '' : `texts: detect # ${freeTexts.map(({ field }) => field).join(', ')}\n`
  if (fields.length === 0) return `# Nothing on ${target} looks sensitive.\n`
  const lines = fields.map(({ field, class: name, because, certainty }) => {
    const entry = stringify([{ field, class: name }], { collectionStyle: 'flow', lineWidth: 0 }).trim()
    const item = entry.replace(/^\[\s*/, '').replace(/\s*\]$/, '')
    return `  - ${item} # ${certainty}: ${because}`
  })
  const documents = classes.map(({ name, in: within, mask: { method, ...rest } }) =>
    stringify(
      {
        kind: 'DataClass',
        name,
        ...(within === undefined ? {} : { in: within }),
        mask: Object.keys(rest).length === 0 ? method : { method, ...rest },
      },
      { lineWidth: 0 },
    ),
  )
  return [
    `# Proposed by "sallyport classify ${target}". Review it: take out what is wrong, add what is missing, then apply it.\n` +
      `kind: Classification\ntarget: ${target}\n${texts}fields:\n${lines.join('\n')}\n`,
    ...documents,
  ].join('---\n')
}
