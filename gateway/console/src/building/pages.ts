import type { PageDef } from '../console/pages'
import w from '../zone/words'

export default [{ path: 'buildings/:id', title: () => w.building, component: () => import('./Detail.vue') }] satisfies PageDef[]
