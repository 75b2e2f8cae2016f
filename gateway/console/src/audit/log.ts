// Reading a service's log from its end. The log answers by number only, so its end and a time are found by halving: numbers are dense, and
// the id of an event (UUID version 7) says when it was written, whatever the event itself is about.
import { call } from '../api/call'
import type { Event } from '../gen/log'

export const SERVICES = ['ticketing', 'identity', 'enterprise', 'party'] as const
export type Service = (typeof SERVICES)[number]

const PAGE = 200

export type Read = (after: number, size: number) => Promise<Event[]>
export const reader = (service: Service, signal: AbortSignal): Read => async (after, size) => (await call('AuditService.ListAuditEvents', { service, after: String(after), page_size: size }, { signal })).events

/** When an event was written, milliseconds. */
export const writtenAt = (event: Event) => parseInt(event.event_id.replaceAll('-', '').slice(0, 12), 16)

/** The trace that an event belongs to: the request id that a refusal shows. */
export const traceOf = (event: Event) => /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(event.traceparent)?.[1] ?? ''

/** How many numbers from 1 on satisfy something that holds up to some number and never after it. */
async function upTo(holds: (seq: number) => Promise<boolean>): Promise<number> {
  let high = 1024
  while (await holds(high)) high *= 2
  let low = 0
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await holds(middle)) low = middle
    else high = middle
  }
  return low
}

/** The newest number; 0 for an empty log. */
export const end = (read: Read) => upTo(async seq => (await read(seq - 1, 1)).length > 0)

/** The last number written before an instant. */
export const before = (read: Read, instant: number) =>
  upTo(async seq => {
    const [event] = await read(seq - 1, 1)
    return event !== undefined && writtenAt(event) < instant
  })

export interface Wanted {
  actor?: string
  subject?: string
  /** A type, or all of a noun: `ticket.`. */
  type?: string
  trace?: string
}

export function fits(event: Event, wanted: Wanted): boolean {
  if (wanted.actor && event.actor !== wanted.actor) return false
  if (wanted.subject && event.subject !== wanted.subject && !event.payload.includes(wanted.subject)) return false
  if (wanted.type && !(wanted.type.endsWith('.') ? event.type.startsWith(wanted.type) : event.type === wanted.type)) return false
  return !wanted.trace || event.traceparent.includes(wanted.trace.toLowerCase())
}

export interface Found {
  events: Event[]
  /** Numbers above this one were looked at. */
  lowest: number
}

/** Looks for events from a number downwards until there are enough, the floor is reached or it is stopped. */
export async function search(read: Read, from: number, floor: number, wanted: Wanted, enough: number, seen: (lowest: number) => void, signal: AbortSignal): Promise<Found> {
  // Where nothing is left out, no more is fetched than is wanted.
  const size = wanted.actor || wanted.subject || wanted.type || wanted.trace ? PAGE : enough
  const events: Event[] = []
  let lowest = from
  while (lowest > floor && events.length < enough && !signal.aborted) {
    const after = Math.max(floor, lowest - size)
    const page = (await read(after, lowest - after)).filter(event => Number(event.seq) <= lowest)
    events.push(...page.reverse().filter(event => fits(event, wanted)))
    lowest = after
    seen(lowest)
  }
  return { events, lowest }
}
