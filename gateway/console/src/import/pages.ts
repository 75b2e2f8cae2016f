import { Upload } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'imports', title: () => w.title, component: () => import('./Import.vue'), permission: 'enterprise.import', menu: { group: 'enterprise', order: 3, icon: Upload } },
] satisfies PageDef[]
