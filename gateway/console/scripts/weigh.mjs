// What an entry or a route costs to load, as it travels: brotli. More than its budget fails.
import { readdirSync, readFileSync, existsSync } from 'node:fs'

const dist = new URL('../dist/', import.meta.url)
const weigh = path => {
  const packed = new URL(`${path}.br`, dist)
  return readFileSync(existsSync(packed) ? packed : new URL(path, dist)).length
}
const read = path => readFileSync(new URL(path, dist), 'utf8')

// What a chunk brings along: its static imports, and the styles that it asks for when it is loaded.
function brings(chunk, into) {
  if (into.has(chunk)) return into
  into.add(chunk)
  if (!chunk.endsWith('.js')) return into
  for (const [, , next] of read(chunk).matchAll(/(?:from|import)\s*(["'`])\.\/([\w.-]+\.js)\1/g)) brings(`assets/${next}`, into)
  return into
}

// Of an entry: what its page names. Of a route: that, the route's own chunk with all it brings, and its styles by the loader's own list.
function entry(html) {
  const into = new Set([html])
  for (const [, path] of read(html).matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)) brings(path, into)
  return into
}
function routes(entryFiles) {
  const found = new Map()
  for (const file of [...entryFiles].filter(path => path.endsWith('.js'))) {
    const text = read(file)
    const list = /m\.f\s*=\s*\[([^\]]*)\]|__vite__mapDeps[^[]*\[([^\]]*)\]/.exec(text)
    const names = [...(list?.[1] ?? list?.[2] ?? '').matchAll(/"([^"]+)"/g)].map(([, name]) => name.replace(/^\//, ''))
    for (const [, name, deps] of text.matchAll(/import\([`'"]\.\/([\w.-]+\.js)[`'"]\)\s*,\s*__vite__mapDeps\(\[([\d,]*)\]\)/g)) {
      found.set(`assets/${name}`, deps.split(',').filter(Boolean).map(index => names[Number(index)]))
    }
    for (const [, name] of text.matchAll(/import\([`'"]\.\/([\w.-]+\.js)[`'"]\)/g)) if (!found.has(`assets/${name}`)) found.set(`assets/${name}`, [])
  }
  return found
}

const KIB = 1024
let isOver = false
function judge(name, files, budget) {
  const bytes = [...files].reduce((sum, path) => sum + weigh(path), 0)
  isOver ||= bytes > budget * KIB
  console.log(`${bytes > budget * KIB ? 'OVER' : 'ok  '} ${(bytes / KIB).toFixed(1).padStart(6)} of ${budget} KiB  ${name}`)
}
// The phone's first screen is the smallest; what it opens later (a picture of the site, the form of a verb) has room.
const BUDGETS = { 'index.html': () => 250, 'm.html': route => (!route || /\/Submit-/.test(route) ? 60 : 90) }
for (const [html, budget] of Object.entries(BUDGETS)) {
  const first = entry(html)
  judge(html, first, budget())
  for (const [route, styles] of [...routes(first)].sort()) {
    // The chart library is no route: it comes when a chart does.
    if (/echarts/.test(route)) continue
    const files = new Set(first)
    brings(route, files)
    for (const style of styles) brings(style, files)
    judge(`${html} + ${route}`, files, budget(route))
  }
}
if (!readdirSync(dist).includes('index.html') || isOver) process.exit(1)
