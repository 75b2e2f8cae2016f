import { Odometer } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'operation', title: () => w.title, component: () => import('./Page.vue'), permission: 'operation.read', menu: { group: 'admin', order: 8, icon: Odometer } },
] satisfies PageDef[]
