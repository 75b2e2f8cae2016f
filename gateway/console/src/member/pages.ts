import { User, View } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'members', title: () => w.list, component: () => import('./List.vue'), permission: 'member.read', menu: { group: 'party', order: 3, icon: User } },
  { path: 'lookups', title: () => w.lookups, component: () => import('./Lookups.vue'), permission: 'meeting.read', menu: { group: 'party', order: 9, icon: View } },
  { path: 'members/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'member.read' },
] satisfies PageDef[]
