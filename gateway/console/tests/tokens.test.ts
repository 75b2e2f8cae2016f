// Every pair of text and ground that pages use reads well: 4.5:1 for text, 3:1 for the edges of controls. In light and dark.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { tints } from '../src/console/tints'

const css = readFileSync(new URL('../src/style/tokens.css', import.meta.url), 'utf8')
const read = (from: string) => Object.fromEntries([...from.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/gi)].map(([, name, value]) => [name!, value!])) as Record<string, string>
const [first, second] = css.split(':root.dark')
const light = read(first!)
const dark = { ...light, ...read(second!) }

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16) / 255).map(part => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
}
function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high! + 0.05) / (low! + 0.05)
}

const GROUNDS = ['ground', 'surface', 'raised', 'idle-soft']
const TEXT: [string, string[]][] = [
  ['text', [...GROUNDS, 'brand-soft', 'ok-soft', 'warn-soft', 'bad-soft']],
  ['text-2', [...GROUNDS, 'brand-soft']],
  ['text-3', ['ground', 'surface', 'raised']],
  ['placeholder', ['surface']],
  ['brand-ink', ['surface', 'ground', 'raised', 'brand-soft']],
  ['ok', ['surface', 'ok-soft']],
  ['warn', ['surface', 'warn-soft']],
  ['bad', ['surface', 'bad-soft']],
]

describe.each([['light', light], ['dark', dark]])('%s', (_, tokens) => {
  it.each(TEXT.flatMap(([text, grounds]) => grounds.map(ground => [text, ground])))('%s on %s', (text, ground) => {
    expect(contrast(tokens[text!]!, tokens[ground!]!)).toBeGreaterThanOrEqual(4.5)
  })
  it.each(['surface', 'ground'])('edges of controls on %s', ground => {
    expect(contrast(tokens.edge!, tokens[ground]!)).toBeGreaterThanOrEqual(3)
  })
  it('the ground on the brand, as on a button', () => {
    expect(contrast(tokens.brand!, tokens.surface!)).toBeGreaterThanOrEqual(4.5)
  })
})

// Any colour that the contract takes: 4.5:1 against white. The last is the lightest grey that is.
describe.each(['#1d5fc2', '#1857a8', '#0b5a3c', '#8a1c5b', '#b3131c', '#767676'])('a district in %s', accent => {
  it.each([['light', light, false], ['dark', dark, true]] as const)('%s', (_, tokens, isDark) => {
    const own = tints(accent, isDark)
    expect(contrast(own.brand!, tokens.surface!)).toBeGreaterThanOrEqual(4.5)
    expect(contrast(own['brand-dark']!, tokens.surface!)).toBeGreaterThanOrEqual(4.5)
    for (const ground of [tokens.surface!, tokens.ground!, tokens.raised!, own['brand-soft']!]) expect(contrast(own['brand-ink']!, ground)).toBeGreaterThanOrEqual(4.5)
    for (const text of ['text', 'text-2']) expect(contrast(tokens[text]!, own['brand-soft']!)).toBeGreaterThanOrEqual(4.5)
  })
})
