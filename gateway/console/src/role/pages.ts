import { Key } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'roles', title: () => w.list, component: () => import('./List.vue'), permission: ['role.read', 'user.write', 'audit.read'], menu: { group: 'admin', order: 3, icon: Key } },
] satisfies PageDef[]
