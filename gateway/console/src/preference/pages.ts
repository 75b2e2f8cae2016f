import type { PageDef } from '../console/pages'
import w from './words'

export default [{ path: 'preference', title: () => w.title, component: () => import('./Page.vue') }] satisfies PageDef[]
