import { Message } from '@element-plus/icons-vue'
import type { PageDef } from '../console/pages'
import w from './words'

export default [
  { path: 'senders', title: () => w.list, component: () => import('./List.vue'), permission: 'sender.read', menu: { group: 'admin', order: 6, icon: Message } },
] satisfies PageDef[]
