import { OfficeBuilding } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'enterprises', title: () => w.list, component: () => import('./List.vue'), permission: 'enterprise.read', menu: { group: 'enterprise', order: 1, icon: OfficeBuilding } },
  { path: 'enterprises/:id', title: () => w.one, component: () => import('./Detail.vue') },
] satisfies PageDef[]
