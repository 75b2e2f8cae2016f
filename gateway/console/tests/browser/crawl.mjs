// Walks through the pages by their links, as far as somebody may go, and looks at each kind of page once.
import { PC, PHONE } from './lib.mjs'

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** What a page is, whatever it shows: `/tickets/:id`. The page of zones is another when one is chosen. */
export const kindOf = path => path.replace(/^\/zones\?zone=.*/, '/zones/one').split(/[?#]/)[0].replace(UUID, ':id').replace(/^\/(figures|tenants)\/\w+$/, '/$1/:code').replace(/\/$/, '')

/**
 * Everything that `person` comes to from `start`, at both sizes, that is not in `seen` yet. `look` gets the page's kind.
 */
export async function crawl(person, seen, look, start = '/', most = 80) {
  const base = new URL(person.entry).pathname
  const queue = [start]
  let opened = 0
  while (queue.length && opened < most) {
    const path = queue.shift()
    const kind = kindOf(path)
    // Where somebody begins is opened again by the next person: their menu is another.
    if (seen.has(kind) && opened > 0) continue
    opened += 1
    const known = seen.has(kind)
    seen.add(kind)
    await person.page.setViewportSize(PC)
    await person.page.goto(`${person.entry}${path}`)
    await person.page.locator('main h1').first().waitFor().catch(() => {})
    if (known) await person.settled()
    else await look(path, kind)
    const links = await person.page.evaluate(base => [...document.querySelectorAll('a[href]')].map(link => link.getAttribute('href')).filter(href => href.startsWith(`${base}/`)), base)
    for (const link of new Set(links.map(link => link.slice(base.length)))) if (!seen.has(kindOf(link))) queue.push(link)
  }
}

/** Looks at the page at both sizes. */
export async function inspectBoth(person, name) {
  for (const size of [PC, PHONE]) {
    await person.page.setViewportSize(size)
    person.size = size
    await person.inspect(name)
  }
}
