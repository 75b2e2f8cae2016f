// One request: from the server, or without a network as today's list has it.
import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import { call } from '../api/call'
import { useReloadOnChange } from '../api/live'
import { useLoad } from '../api/load'
import type { Ticket } from '../gen/ticketing'
import { keptTicket } from './today'

const PATIENCE = 1500

export function useTicket(id: string) {
  const loaded = useLoad<Ticket>(signal => call('TicketService.GetTicket', { ticket_id: id }, { signal }))
  const ticket = shallowRef<Ticket>()
  /** It is what was kept, not what is so now. */
  const isKept = ref(false)
  watch(loaded.data, now => {
    ticket.value = now
    isKept.value = false
  })
  async function fall() {
    const kept = ticket.value ? undefined : await keptTicket(id)
    if (!kept || ticket.value) return
    ticket.value = kept
    isKept.value = true
  }
  watch(loaded.error, failed => failed?.isOpen && fall())
  // A network that is slow is one for a while only.
  const slow = setTimeout(fall, PATIENCE)
  onScopeDispose(() => clearTimeout(slow))
  useReloadOnChange(loaded.reload, change => change.ticket_id === id)
  return { ticket, isKept, error: loaded.error, loading: loaded.loading, reload: loaded.reload }
}
