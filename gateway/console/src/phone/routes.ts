// The phone's pages, and the tabs of whoever is signed in.
import { has, may, me } from '../api/session'
import type { PageDef } from './router'
import w from './words'

export const PAGES: PageDef[] = [
  { path: 'submit', title: () => w.submitTitle, page: () => import('./Submit.vue') },
  { path: 'requests', title: () => w.requests, page: () => import('./Requests.vue') },
  { path: 'requests/:id', title: () => w.request, page: () => import('./Request.vue') },
  { path: 'requests/:id/rate', title: () => w.rate, page: () => import('./Rate.vue') },
  { path: 'requests/:id/do/:verb', title: () => w.request, page: () => import('./Verb.vue') },
  { path: 'requests/:id/check-in', title: () => w.checkIn, page: () => import('./CheckIn.vue') },
  { path: 'today', title: () => w.today, page: () => import('./Today.vue') },
  { path: 'todo', title: () => w.todo, page: () => import('./Todo.vue') },
  { path: 'soon', title: () => w.soon, page: () => import('./Soon.vue') },
  { path: 'outbox', title: () => w.outbox, page: () => import('./Outbox.vue') },
  { path: 'notices', title: () => w.notices, page: () => import('./Notices.vue') },
  { path: 'rate', title: () => w.rate, page: () => import('./Invited.vue'), open: true },
  { path: 'me/password', title: () => w.password, page: () => import('./Password.vue') },
  { path: 'me', title: () => w.mine, page: () => import('./Me.vue') },
]

export interface Tab {
  path: string
  title: string
  icon: string
}

/** Of a company, not of the district's staff. */
export const isCompany = () => Boolean(me.value?.enterprise_id)

// Outlines of 24 by 24.
const ICONS = {
  submit: 'M12 5v14M5 12h14',
  list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  place: 'M12 21s7-6.1 7-11.5A7 7 0 0 0 5 9.5C5 14.9 12 21 12 21Zm0-9a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-14v5l3.5 2',
  me: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 9c0-4 3.6-6 8-6s8 2 8 6',
}

export function tabs(): Tab[] {
  const all: (Tab | false)[] = isCompany()
    ? [may('ticket.submit') && { path: 'submit', title: w.submit, icon: ICONS.submit }, may('ticket.read') && { path: 'requests', title: w.requests, icon: ICONS.list }]
    : [
        (may('ticket.handle') || may('ticket.attend')) && { path: 'today', title: w.todayTab, icon: ICONS.place },
        may('ticket.read') && { path: 'todo', title: w.todo, icon: ICONS.list },
        may('ticket.read') && { path: 'soon', title: w.soon, icon: ICONS.clock },
      ]
  return [...all, { path: 'me', title: w.mine, icon: ICONS.me }].filter((one): one is Tab => Boolean(one))
}

/** Where somebody begins. A handler goes to the site first, others to what waits for them. */
export const first = () => (!isCompany() && !has('HANDLER') && may('ticket.read') ? 'todo' : tabs()[0]!.path)
