import { Bell, Connection } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'organisations', title: () => w.list, component: () => import('./List.vue'), permission: 'organisation.read', menu: { group: 'party', order: 2, icon: Connection } },
  { path: 'elections', title: () => w.elections, component: () => import('./Elections.vue'), permission: 'obligation.read', menu: { group: 'party', order: 5, icon: Bell } },
  { path: 'organisations/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'organisation.read' },
] satisfies PageDef[]
