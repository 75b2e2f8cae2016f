// One request: from the server, or without a network as today's list has it.
import { ref, shallowRef, watch } from 'vue'
import { call } from '../api/call'
import { useReloadOnChange } from '../api/live'
import { useLoad } from '../api/load'
import type { Ticket } from '../gen/ticketing'
import { keptTicket } from './today'

export function useTicket(id: string) {
  const loaded = useLoad<Ticket>(signal => call('TicketService.GetTicket', { ticket_id: id }, { signal }))
  const ticket = shallowRef<Ticket>()
  /** It is what was kept, not what is so now. */
  const isKept = ref(false)
  watch(loaded.data, now => {
    ticket.value = now
    isKept.value = false
  })
  watch(loaded.error, async failed => {
    if (!failed?.isOpen || ticket.value) return
    ticket.value = await keptTicket(id)
    isKept.value = Boolean(ticket.value)
  })
  useReloadOnChange(loaded.reload, change => change.ticket_id === id)
  return { ticket, isKept, error: loaded.error, loading: loaded.loading, reload: loaded.reload }
}
