// How a room offers its pages: a file `pages.ts` in its folder. The router and the menu gather them; nobody keeps a second list.
import type { Component } from 'vue'

export type Group = 'response' | 'enterprise' | 'party' | 'figures' | 'admin'

export interface PageDef {
  path: string
  /** Title of the window, and of the menu. Read when it is shown: languages change. */
  title: () => string
  component: () => Promise<unknown>
  /** Needed to be offered; one of them is enough. The server decides by itself. */
  permission?: string | string[]
  menu?: { group: Group; order: number; icon: Component }
  /** Shown without menu and header. */
  bare?: boolean
}

const rooms = import.meta.glob<{ default: PageDef[] }>('../*/pages.ts', { eager: true })
export const PAGES: PageDef[] = Object.entries(rooms).filter(([path]) => !path.startsWith('../console/')).flatMap(([, room]) => room.default ?? [])
