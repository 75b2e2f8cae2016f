// Where the pages are: below `/t/{code}` or, for a district with a host of its own, below nothing.
const found = /^(\/t\/\d{6,12})?\/(console|m)(?=\/|$)/.exec(globalThis.location?.pathname ?? '')

/** `/t/350102`, or empty when the host says the district. */
export const district = found?.[1] ?? ''
/** Where the entry's own addresses begin. */
export const base = `${district}/${found?.[2] ?? 'console'}/`
