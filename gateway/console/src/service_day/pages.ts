import { Calendar } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'service-days', title: () => w.list, component: () => import('./List.vue'), permission: 'service_day.read', menu: { group: 'enterprise', order: 20, icon: Calendar } },
  { path: 'service-days/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'service_day.read' },
] satisfies PageDef[]
