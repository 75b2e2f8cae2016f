import { Setting } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'settings', title: () => w.list, component: () => import('./List.vue'), permission: 'setting.read', menu: { group: 'admin', order: 4, icon: Setting } },
  { path: 'settings/:kind', title: () => w.list, component: () => import('./Kind.vue'), permission: 'setting.read' },
] satisfies PageDef[]
