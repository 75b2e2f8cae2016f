import { Brush } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'brand', title: () => w.title, component: () => import('./Page.vue'), permission: 'brand.write', menu: { group: 'admin', order: 9, icon: Brush } },
] satisfies PageDef[]
