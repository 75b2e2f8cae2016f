import { DocumentChecked } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'audit', title: () => w.list, component: () => import('./List.vue'), permission: 'audit.read', menu: { group: 'admin', order: 7, icon: DocumentChecked } },
] satisfies PageDef[]
