// Which verb is next: the first under the thumb is what the person's unit has not done yet.
import { me } from '../api/session'
import type { Ticket } from '../gen/ticketing'

/** The clock that stops when a verb is done. */
const STOPS: Record<string, string> = { contact: 'C4', checkIn: 'C7', attend: 'C8' }

/** Verbs in their order, those done already after the others. Pure but for who is signed in. */
export function inTurn(ticket: Ticket, verbs: string[], unit = me.value?.unit_id ?? ''): string[] {
  const isDone = (verb: string) => {
    const clocks = ticket.clocks.filter(one => one.kind === STOPS[verb] && (!one.unit_id || one.unit_id === unit))
    return clocks.length > 0 && clocks.every(one => one.stopped_at)
  }
  return [...verbs].sort((a, b) => Number(isDone(a)) - Number(isDone(b)))
}
