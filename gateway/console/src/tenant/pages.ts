import { MapLocation } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'tenants', title: () => w.list, component: () => import('./List.vue'), permission: 'tenant.read', menu: { group: 'admin', order: 0, icon: MapLocation } },
  { path: 'tenants/:code', title: () => w.one, component: () => import('./Detail.vue'), permission: 'tenant.read' },
] satisfies PageDef[]
