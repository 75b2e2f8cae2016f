import { DataAnalysis, DataBoard, Document } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'cockpit', title: () => w.cockpit, component: () => import('./Cockpit.vue'), permission: 'figure.read', bare: true, menu: { group: 'figures', order: 1, icon: DataBoard } },
  { path: 'figures', title: () => w.figures, component: () => import('./List.vue'), permission: 'figure.read', menu: { group: 'figures', order: 2, icon: DataAnalysis } },
  { path: 'figures/:code', title: () => w.rows, component: () => import('./Rows.vue'), permission: 'figure.read' },
  { path: 'reports', title: () => w.reports, component: () => import('./Report.vue'), permission: 'figure.read', menu: { group: 'figures', order: 3, icon: Document } },
] satisfies PageDef[]
