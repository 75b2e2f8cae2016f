import { OfficeBuilding } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'units', title: () => w.list, component: () => import('./Tree.vue'), permission: ['unit.write', 'role.grant'], menu: { group: 'admin', order: 1, icon: OfficeBuilding } },
] satisfies PageDef[]
