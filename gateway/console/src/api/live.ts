// Live views: one stream of changes for the whole page, resumed from its last cursor without loss. Whoever shows requests listens here.
import { onScopeDispose, ref } from 'vue'
import type { TicketChange } from '../gen/ticketing'
import { listen } from './call'
import { Fault } from './fault'
import { may, me } from './session'

type Heard = (change: TicketChange) => void

const ears = new Set<Heard>()
/** Whether changes arrive now. */
export const connected = ref(false)
let cursor = '0'
let running: AbortController | undefined

async function run(signal: AbortSignal) {
  let wait = 500
  while (!signal.aborted) {
    try {
      for await (const change of listen('WatchService.WatchTickets', { cursor, seconds: 50 }, signal)) {
        connected.value = true
        wait = 500
        cursor = change.cursor
        if (change.ticket_id) for (const ear of ears) ear(change)
      }
    } catch (error) {
      connected.value = false
      if (signal.aborted) return
      // The stream does not ask for a sign-in by itself: the next call that somebody makes does.
      if (error instanceof Fault && !error.isOpen && error.status !== 'UNAUTHENTICATED') wait = 30_000
      await new Promise(done => setTimeout(done, wait * (0.75 + Math.random() / 2)))
      wait = Math.min(wait * 2, 15_000)
    }
  }
}

/** Hears of every change of requests that the person may read, while the page is open. */
export function useLive(heard: Heard) {
  if (!may('ticket.read')) return
  ears.add(heard)
  if (!running) {
    running = new AbortController()
    void run(running.signal)
  }
  onScopeDispose(() => {
    ears.delete(heard)
    if (ears.size > 0) return
    running?.abort()
    running = undefined
    connected.value = false
  })
}

/** Calls back a moment after changes, once for many. */
export function useReloadOnChange(reload: () => unknown, concerns: (change: TicketChange) => boolean = () => true) {
  let timer: ReturnType<typeof setTimeout> | undefined
  useLive(change => {
    if (!concerns(change)) return
    clearTimeout(timer)
    timer = setTimeout(reload, 300)
  })
  // Where the stream cannot pass, a look every half minute does.
  const poll = setInterval(() => !connected.value && me.value && reload(), 30_000)
  onScopeDispose(() => {
    clearTimeout(timer)
    clearInterval(poll)
  })
}

