// What a district's colour makes of the tokens. Pure.
const parts = (colour: string) => [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16))
/** A colour with so much of another in it. */
const mixed = (colour: string, other: string, share: number) => `#${parts(colour).map((part, at) => Math.round(part * (1 - share) + parts(other)[at]! * share).toString(16).padStart(2, '0')).join('')}`

/** What the district's colour makes of the tokens: on dark ground it has to be light to be read. */
export const tints = (accent: string, dark: boolean): Record<string, string> =>
  dark
    ? { brand: mixed(accent, '#ffffff', 0.55), 'brand-dark': mixed(accent, '#ffffff', 0.7), 'brand-ink': mixed(accent, '#ffffff', 0.7), 'brand-soft': mixed(accent, '#101d35', 0.7) }
    : { brand: accent, 'brand-dark': mixed(accent, '#000000', 0.18), 'brand-ink': mixed(accent, '#000000', 0.18), 'brand-soft': mixed(accent, '#ffffff', 0.9) }
