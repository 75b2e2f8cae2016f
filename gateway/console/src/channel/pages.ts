import { Share } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'channels', title: () => w.list, component: () => import('./List.vue'), permission: 'channel.read', menu: { group: 'admin', order: 5, icon: Share } },
  { path: 'channels/:id', title: () => w.one, component: () => import('./Detail.vue'), permission: 'channel.read' },
] satisfies PageDef[]
