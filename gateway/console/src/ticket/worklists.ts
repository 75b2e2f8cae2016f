// Worklists as views: number and list come from one filter of the server's.
import type { Worklist } from '../gen/ticketing'
import type { View } from '../parts/ListPage.vue'
import { name } from '../words/enums'

export const keyOf = (one: Worklist) => (one.of ? `${one.kind}-${one.of}` : one.kind).toLowerCase()

const RANK = ['MINE', 'TO_ATTEND', 'DUE_SOON', 'OVERDUE', 'WAITING', 'ORDERED', 'STATE']
const ALWAYS = new Set(['MINE', 'DUE_SOON', 'OVERDUE', 'TO_ATTEND'])

/** Worklists to show, in order: what nobody waits for is left out. */
export function shown(all: Worklist[]): Worklist[] {
  return all.filter(one => one.count > 0 || ALWAYS.has(one.kind)).sort((a, b) => RANK.indexOf(a.kind) - RANK.indexOf(b.kind))
}

export function title(one: Worklist): string {
  if (one.kind === 'STATE') return name('Ticket.State', one.of)
  return one.kind === 'WAITING' ? `${name('Worklist.Kind', one.kind)}·${name('Ask.Matter', one.of)}` : name('Worklist.Kind', one.kind)
}

export const view = (one: Worklist): View => ({ key: keyOf(one), title: title(one), count: one.count, more: one.more, tone: one.kind === 'OVERDUE' ? 'bad' : one.kind === 'DUE_SOON' ? 'warn' : undefined })
