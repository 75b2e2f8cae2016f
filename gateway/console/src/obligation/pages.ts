import { List } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'obligations', title: () => w.list, component: () => import('./List.vue'), permission: 'obligation.read', menu: { group: 'party', order: 1, icon: List } },
  { path: 'obligations/board', title: () => w.board, component: () => import('./Board.vue'), permission: 'obligation.read' },
  { path: 'obligations/rules', title: () => w.rules, component: () => import('./Rules.vue'), permission: 'obligation.read' },
  { path: 'obligations/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'obligation.read' },
] satisfies PageDef[]
