// A router of the phone's own: patterns with `:names`, links that are plain links, focus to the heading of a page that was opened.
import { nextTick, shallowRef, type Component } from 'vue'
import { base } from '../api/place'

export interface PageDef {
  path: string
  title: () => string
  page: () => Promise<{ default: Component }>
  /** May be opened by somebody who is not signed in. */
  open?: boolean
}

export interface Place {
  path: string
  params: Record<string, string>
  query: URLSearchParams
  def: PageDef | undefined
}

/** What a pattern finds in a path; nothing when it does not fit. Pure. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, said] = [pattern.split('/'), path.split('/')]
  if (wanted.length !== said.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    if (part.startsWith(':') && said[index]) params[part.slice(1)] = decodeURIComponent(said[index]!)
    else if (part !== said[index]) return undefined
  }
  return params
}

/** The page of a path below the entry. Pure. */
export function find(pages: PageDef[], path: string, search = ''): Place {
  const clean = path.replace(/^\/+|\/+$/g, '')
  for (const def of pages) {
    const params = match(def.path, clean)
    if (params) return { path: clean, params, query: new URLSearchParams(search), def }
  }
  return { path: clean, params: {}, query: new URLSearchParams(search), def: undefined }
}

export const place = shallowRef<Place>({ path: '', params: {}, query: new URLSearchParams(), def: undefined })
let known: PageDef[] = []

/** The address of a page. */
export const href = (path: string) => base + path

const here = () => find(known, location.pathname.startsWith(base) ? location.pathname.slice(base.length) : '', location.search)

function show(top: number) {
  place.value = here()
  void nextTick(() => settle(top, Date.now() + 1500))
}

// A page that is loaded anew is as high as it was only after a while.
function settle(top: number, until: number) {
  scrollTo(0, top)
  if (top > 0 && scrollY < top && Date.now() < until) setTimeout(() => settle(top, until), 80)
}

/** Goes to a page; with `instead` the one that is left is not gone back to. */
export function go(path: string, instead = false) {
  history.replaceState({ ...history.state, top: scrollY }, '')
  if (instead) history.replaceState({ steps: history.state?.steps ?? 0 }, '', href(path))
  else history.pushState({ steps: (history.state?.steps ?? 0) + 1 }, '', href(path))
  show(0)
}

/** Back to where one came from; to a page when one came from outside. */
export function back(otherwise: string) {
  if (history.state?.steps > 0) history.back()
  else go(otherwise, true)
}

function follow(event: MouseEvent) {
  const link = (event.target as Element | null)?.closest?.('a')
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.target || link.origin !== location.origin || !link.pathname.startsWith(base) || link.getAttribute('href')?.startsWith('#')) return
  event.preventDefault()
  go(link.pathname.slice(base.length) + link.search)
}

export function start(pages: PageDef[]) {
  known = pages
  history.scrollRestoration = 'manual'
  place.value = here()
  addEventListener('popstate', () => show(history.state?.top ?? 0))
  document.addEventListener('click', follow)
}

/** To the heading of a page that was opened, but not on the first load, where the skip link comes first. */
export async function toHeading() {
  await nextTick()
  document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true })
}
