import { User } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'users', title: () => w.list, component: () => import('./List.vue'), permission: ['user.write', 'role.grant'], menu: { group: 'admin', order: 2, icon: User } },
  { path: 'users/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'user.read' },
] satisfies PageDef[]
