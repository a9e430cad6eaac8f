/**
 * What a reader would not see, or would see in another place: control and format characters (bidirectional overrides,
 * zero-width ones), separators of lines and paragraphs, spaces other than U+0020, what Unicode lets a font leave out
 * (Hangul fillers, variation selectors), the blank Braille pattern, private and unassigned characters, lone surrogates.
 * Not line feed and tab.
 */
const HIDDEN =
  /[^\P{Cc}\n\t]|[\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|[^\P{Zs} ]/gu

/** Padding that pushes the rest out of sight. */
const LONG_SPACES = / {40,}|\t{10,}/g
/** Begins at a line break, and so never looks at a run of spaces more than once. */
const LONG_BREAKS = /\n(?:[ \t]*\n){5,}/g

/**
 * Text as it may be shown to whoever decides about it: characters that hide something are written out as `⟨U+202E⟩`, and
 * padding as how much of it there is. For reading only; what runs is the text itself.
 */
export function visibleText(text: string): string {
  return text
    .replaceAll(HIDDEN, written)
    .replaceAll(LONG_SPACES, (run) => `⟨${run.length} ${run.startsWith(' ') ? 'spaces' : 'tabs'}⟩`)
    .replaceAll(LONG_BREAKS, (run) => `\n⟨${run.split('\n').length - 1} line breaks⟩\n`)
}

/** On one line: for lists, headings and places where a line break would begin something else. */
export function visibleLine(text: string): string {
  return visibleText(text)
    .split('\n')
    .map((line) => line.trim())
    .join(' ↵ ')
    .replaceAll('\t', ' ')
}

function written(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return `⟨U+${code}⟩`
}

/** What a reader should look at twice, in words. */
export function warningsAbout(text: string): readonly string[] {
  const warnings: string[] = []
  const hidden = text.match(HIDDEN)?.length ?? 0
  if (hidden > 0) warnings.push(`${hidden} invisible or reordering character${hidden === 1 ? '' : 's'}`)
  if (text.search(LONG_SPACES) >= 0 || text.search(LONG_BREAKS) >= 0) {
    warnings.push('long runs of white space')
  }
  if (/--|\/\*/.test(text)) warnings.push('comments, or what looks like one: they are not run')
  const scripts = SCRIPTS.filter(([, letters]) => letters.test(text)).map(([name]) => name)
  if (scripts.length > 0) warnings.push(`letters that may look like others: ${scripts.join(', ')}`)
  return warnings
}

/** Alphabets with letters that look like Latin ones. */
const SCRIPTS: readonly (readonly [name: string, letters: RegExp])[] = [
  ['Cyrillic', /\p{Script=Cyrillic}/u],
  ['Greek', /\p{Script=Greek}/u],
  ['Armenian', /\p{Script=Armenian}/u],
  ['full-width', /[\uFF01-\uFF5E]/u],
]
