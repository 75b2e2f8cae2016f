import { Calendar } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'meetings', title: () => w.list, component: () => import('./List.vue'), permission: 'meeting.read', menu: { group: 'party', order: 4, icon: Calendar } },
  { path: 'meetings/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'meeting.read' },
] satisfies PageDef[]
