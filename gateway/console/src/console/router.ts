import { createRouter, createWebHistory } from 'vue-router'
import { base } from '../api/place'
import { PAGES } from './pages'

export const router = createRouter({
  history: createWebHistory(base),
  routes: [
    { path: '/', redirect: '/workbench' },
    ...PAGES.map(page => ({ path: `/${page.path}`, component: page.component, meta: { page } })),
    { path: '/:rest(.*)*', component: () => import('./Missing.vue') },
  ],
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? undefined : { top: 0 }),
})

// A new version was installed and the old one's pages are gone: load the page anew, once.
router.onError((error, to) => {
  if (!/dynamically imported module|Importing a module|module script/i.test(String(error))) return
  const tried = `reload:${to.fullPath}`
  if (sessionStorage.getItem(tried)) return
  sessionStorage.setItem(tried, 'yes')
  location.assign(router.resolve(to.fullPath).href)
})

// Where a page begins: focus to its heading, but not on the first load, where the skip link comes first.
let first = true
router.afterEach(async (to, from) => {
  if (first || to.path === from.path) {
    first = false
    return
  }
  await new Promise(done => setTimeout(done, 60))
  document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true })
})
