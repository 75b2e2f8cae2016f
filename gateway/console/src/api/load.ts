// What a page shows: loaded when it opens and when what it depends on changes, kept on the screen while it is loaded anew.
import { onScopeDispose, ref, shallowRef, watch, type WatchSource } from 'vue'
import { Fault } from './fault'

export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, on: WatchSource[] = []) {
  const data = shallowRef<T>()
  const error = shallowRef<Fault>()
  const loading = ref(false)
  let latest = new AbortController()

  async function reload(): Promise<void> {
    latest.abort()
    const mine = (latest = new AbortController())
    loading.value = true
    try {
      const answer = await load(mine.signal)
      if (mine.signal.aborted) return
      data.value = answer
      error.value = undefined
    } catch (failed) {
      if (mine.signal.aborted) return
      if (!(failed instanceof Fault)) console.error(failed)
      error.value = failed instanceof Fault ? failed : new Fault('INTERNAL', String(failed))
    } finally {
      if (latest === mine) loading.value = false
    }
  }

  if (on.length) watch(on, reload)
  onScopeDispose(() => latest.abort())
  void reload()
  return { data, error, loading, reload }
}
