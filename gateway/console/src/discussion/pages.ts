import { ChatDotRound } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'discussions', title: () => w.list, component: () => import('./List.vue'), permission: 'discussion.read', menu: { group: 'enterprise', order: 21, icon: ChatDotRound } },
  { path: 'discussions/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'discussion.read' },
] satisfies PageDef[]
