// The handler's own list of today, kept on the phone for where there is no network, for a day at most and until the sign-out.
import { call } from '../api/call'
import { me } from '../api/session'
import type { Ticket } from '../gen/ticketing'
import { get, write } from './keep'

export interface Today {
  at: number
  /** Whole requests, with their clocks and whom to contact. */
  tickets: Ticket[]
  /** Where their buildings stand. */
  buildings: Record<string, { name: string; address: string; latitude: number; longitude: number }>
}

const MOST = 30
export const LASTS = 24 * 3600e3

/** Whether what is kept may still be shown. Pure. */
export const isFresh = (kept: Today | undefined, now: number): kept is Today => Boolean(kept && now - kept.at < LASTS)

export async function keptToday(): Promise<Today | undefined> {
  const kept = await get<Today>('kept', 'today').catch(() => undefined)
  if (isFresh(kept, Date.now())) return kept
  if (kept) await write({ store: 'kept', key: 'today' }).catch(() => {})
  return undefined
}

/** A request of today's list as it was kept. */
export const keptTicket = async (id: string) => (await keptToday())?.tickets.find(one => one.id === id)

/** Today's list from the server: where somebody is on site or is called to a consultation, and what was given to the person. */
export async function fetchToday(signal: AbortSignal): Promise<Today> {
  const filters = ['open = true AND state = "ON_SITE"', 'open = true AND to_attend = true', `open = true AND handler_id = "${me.value?.id ?? ''}"`]
  const lists = await Promise.all(filters.map(filter => call('TicketService.ListTickets', { filter, page_size: MOST }, { signal }).then(answer => answer.tickets)))
  const ids = [...new Set(lists.flat().map(one => one.id))].slice(0, MOST)
  const tickets = await Promise.all(ids.map(id => call('TicketService.GetTicket', { ticket_id: id }, { signal })))
  const standing = [...new Set(tickets.map(one => one.building_id).filter(Boolean))]
  const buildings = Object.fromEntries(await Promise.all(standing.map(async id => [id, await call('BuildingService.GetBuilding', { building_id: id }, { signal })] as const)))
  const today: Today = { at: Date.now(), tickets, buildings: Object.fromEntries(Object.entries(buildings).map(([id, { name, address, latitude, longitude }]) => [id, { name, address, latitude, longitude }])) }
  await write({ store: 'kept', key: 'today', value: today }).catch(error => console.error(error))
  return today
}
