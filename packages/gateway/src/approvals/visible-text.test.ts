import fc from 'fast-check'
import { expect, test } from 'vitest'
import { visibleLine, visibleText, warningsAbout } from './visible-text.ts'

test.each([
  ['a bidirectional override', 'a\u202Eb', 'a⟨U+202E⟩b'],
  ['an isolate', 'a\u2066b\u2069', 'a⟨U+2066⟩b⟨U+2069⟩'],
  ['a zero-width space', 'DROP\u200BTABLE', 'DROP⟨U+200B⟩TABLE'],
  ['a soft hyphen', 'a\u00ADb', 'a⟨U+00AD⟩b'],
  ['a no-break space', 'a\u00A0b', 'a⟨U+00A0⟩b'],
  ['a Hangul filler', 'a\u3164b', 'a⟨U+3164⟩b'],
  ['a blank Braille pattern', 'a\u2800b', 'a⟨U+2800⟩b'],
  ['a variation selector', 'a\uFE0Fb', 'a⟨U+FE0F⟩b'],
  ['a tag', 'a\u{E0041}b', 'a⟨U+E0041⟩b'],
  ['a NUL', 'a\0b', 'a⟨U+0000⟩b'],
  ['an escape sequence', '\u001B[2Ja', '⟨U+001B⟩[2Ja'],
  ['a carriage return', 'good\rbad', 'good⟨U+000D⟩bad'],
  ['a backspace', 'good\bbad', 'good⟨U+0008⟩bad'],
  ['a C1 control', 'a\u009Bb', 'a⟨U+009B⟩b'],
  ['a line separator', 'a\u2028b', 'a⟨U+2028⟩b'],
  ['a private character', 'a\uE000b', 'a⟨U+E000⟩b'],
  ['half a character', 'a\uD800b', 'a⟨U+D800⟩b'],
  ['a line of its own', 'a\n\tb', 'a\n\tb'],
  ['letters of any script', 'größe Δ 数 é', 'größe Δ 数 é'],
])('%s', (_, text, shown) => {
  expect(visibleText(text)).toBe(shown)
})

test('padding is told, not shown', () => {
  expect(visibleText(`SELECT 1${' '.repeat(5000)}; DROP TABLE x`)).toBe('SELECT 1⟨5000 spaces⟩; DROP TABLE x')
  expect(visibleText(`SELECT 1${'\n'.repeat(300)}DROP TABLE x`)).toBe(
    'SELECT 1\n⟨300 line breaks⟩\nDROP TABLE x',
  )
})

test('padding of 64 KB takes no time', () => {
  for (const text of [' \t'.repeat(32_000), '\n \t'.repeat(20_000), `${' \t'.repeat(500)}\nx`.repeat(60)]) {
    const began = performance.now()
    visibleLine(text)
    warningsAbout(text)
    expect(performance.now() - began).toBeLessThan(1000)
  }
})

test('a line is one line', () => {
  expect(visibleLine('a\n  b\tc\r')).toBe('a ↵ b c⟨U+000D⟩')
})

test('whatever comes in, nothing invisible comes out', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = visibleText(text)
      expect(shown.isWellFormed()).toBe(true)
      expect(shown).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|[^\P{Cc}\n\t]/u)
      expect(visibleText(shown)).toBe(shown)
    }),
  )
})

test.each([
  ['SELECT 1', []],
  ['SELECT 1 /* harmless */', ['comments, or what looks like one: they are not run']],
  ['SELECT \u200B1', ['1 invisible or reordering character']],
  ['DELETE FROM \u043Erders', ['letters that may look like others: Cyrillic']],
  [`a${' '.repeat(50)}b`, ['long runs of white space']],
])('%j is warned about as %j', (text, warnings) => {
  expect(warningsAbout(text)).toEqual(warnings)
})
