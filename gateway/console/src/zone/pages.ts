import { MapLocation } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'zones', title: () => w.list, component: () => import('./List.vue'), permission: ['enterprise.read', 'place.write'], menu: { group: 'enterprise', order: 2, icon: MapLocation } },
] satisfies PageDef[]
