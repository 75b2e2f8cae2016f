// Keeps the phone's pages, so that they open without a network: the page itself from the network first, what it is made of from here. Answers
// of the server are never kept. A new version waits until the pages of the old one are closed.
const CACHE = 'phone-' + 'VERSION'
const FILES = ['FILES']
const PAGE = self.registration.scope
const PATIENCE = 4000

self.addEventListener('install', event => {
  const wanted = [...FILES, '/favicon.svg'].map(file => new Request(file, { cache: 'force-cache' }))
  event.waitUntil(
    caches.open(CACHE).then(async cache => {
      await cache.addAll(wanted)
      await cache.put(PAGE, await fetch(PAGE))
    }),
  )
})

self.addEventListener('activate', event => {
  const old = caches.keys().then(names => Promise.all(names.filter(name => name.startsWith('phone-') && name !== CACHE).map(name => caches.delete(name))))
  event.waitUntil(old.then(() => self.clients.claim()))
})

self.addEventListener('fetch', event => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return
  if (request.mode === 'navigate') event.respondWith(page(request))
  else if (pathname.startsWith('/assets/') || pathname === '/favicon.svg') event.respondWith(caches.match(request, { ignoreSearch: true }).then(kept => kept || fetch(request)))
})

// All pages are one document. A network that does not answer in time is none. The document of a newer version is kept by the worker of that
// version, with all that it is made of.
async function page(request) {
  const cache = await caches.open(CACHE)
  const kept = cache.match(PAGE)
  const fresh = fetch(request).then(async answer => {
    const text = answer.ok ? await answer.clone().text() : ''
    const parts = text.match(/\/assets\/[\w.-]+/g) ?? []
    if (parts.length > 0 && parts.every(part => FILES.includes(part))) await cache.put(PAGE, answer.clone())
    return answer
  })
  const late = new Promise(done => setTimeout(done, PATIENCE))
  const answer = await Promise.race([fresh.catch(() => undefined), late])
  return answer || (await kept) || fresh
}
