// A list that grows: each page is added to those before it.
import { computed, ref, type WatchSource } from 'vue'
import { useLoad } from './load'

export function useMore<T>(load: (token: string, signal: AbortSignal) => Promise<{ rows: T[]; next: string }>, on: WatchSource[] = []) {
  const token = ref('')
  let before: T[] = []
  const loaded = useLoad(async signal => {
    const { rows, next } = await load(token.value, signal)
    return { rows: [...before, ...rows], next }
  }, on)
  function more() {
    before = loaded.data.value?.rows ?? []
    token.value = loaded.data.value?.next ?? ''
    return loaded.reload()
  }
  /** From the beginning. */
  function again() {
    before = []
    token.value = ''
    return loaded.reload()
  }
  return { rows: computed(() => loaded.data.value?.rows), hasMore: computed(() => Boolean(loaded.data.value?.next)), error: loaded.error, loading: loaded.loading, more, again }
}
