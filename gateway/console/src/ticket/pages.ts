import { Files, House, Promotion } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'workbench', title: () => w.workbench, component: () => import('./Workbench.vue'), menu: { group: 'response', order: 1, icon: House } },
  { path: 'tickets', title: () => w.list, component: () => import('./List.vue'), permission: 'ticket.read', menu: { group: 'response', order: 2, icon: Files } },
  { path: 'triage', title: () => w.triage, component: () => import('./Triage.vue'), permission: 'ticket.dispatch', menu: { group: 'response', order: 3, icon: Promotion } },
  { path: 'tickets/new', title: () => w.create, component: () => import('./New.vue'), permission: 'ticket.submit' },
  { path: 'tickets/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'ticket.read' },
  { path: 'tickets/:id/print/:sheet', title: () => w.sheet, component: () => import('./Sheet.vue'), permission: 'ticket.read', bare: true },
] satisfies PageDef[]
