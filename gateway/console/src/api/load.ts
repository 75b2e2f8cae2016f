// What a page shows: loaded when it opens and when what it depends on changes, kept on the screen while it is loaded anew. Where the server was
// not reached it is asked again by itself, at once when the network is back and a few times a minute otherwise.
import { onScopeDispose, ref, shallowRef, watch, type WatchSource } from 'vue'
import { Fault } from './fault'

const SOON = 4_000
const LATER = 30_000

export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, on: WatchSource[] = []) {
  const data = shallowRef<T>()
  const error = shallowRef<Fault>()
  const loading = ref(false)
  let latest = new AbortController()
  let wait = SOON
  let again: ReturnType<typeof setTimeout> | undefined

  async function reload(): Promise<void> {
    latest.abort()
    clearTimeout(again)
    const mine = (latest = new AbortController())
    loading.value = true
    try {
      const answer = await load(mine.signal)
      if (mine.signal.aborted) return
      data.value = answer
      error.value = undefined
      wait = SOON
    } catch (failed) {
      if (mine.signal.aborted) return
      if (!(failed instanceof Fault)) console.error(failed)
      error.value = failed instanceof Fault ? failed : new Fault('INTERNAL', String(failed))
      if (!error.value.isOpen) return
      again = setTimeout(reload, wait)
      wait = Math.min(wait * 2, LATER)
    } finally {
      if (latest === mine) loading.value = false
    }
  }

  const back = () => void (error.value?.isOpen && reload())
  globalThis.addEventListener?.('online', back)
  if (on.length) watch(on, reload)
  onScopeDispose(() => {
    latest.abort()
    clearTimeout(again)
    globalThis.removeEventListener?.('online', back)
  })
  void reload()
  return { data, error, loading, reload }
}
