import { Phone, Connection } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'direct-calls', title: () => w.calls, component: () => import('./Calls.vue'), permission: 'direct_line.read', menu: { group: 'enterprise', order: 22, icon: Phone } },
  { path: 'direct-calls/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'direct_line.read' },
  { path: 'direct-lines', title: () => w.lines, component: () => import('./Lines.vue'), permission: 'direct_line.write', menu: { group: 'enterprise', order: 23, icon: Connection } },
] satisfies PageDef[]
