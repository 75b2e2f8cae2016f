// How services work is asked anew while somebody looks.
import { onScopeDispose } from 'vue'
import { useLoad } from '../api/load'
import type { Operation } from '../gen/identity'

const EVERY = 15_000

export function useOperation(ask: (signal: AbortSignal) => Promise<Operation>) {
  const loaded = useLoad(ask)
  const again = setInterval(() => document.visibilityState === 'visible' && loaded.reload(), EVERY)
  onScopeDispose(() => clearInterval(again))
  return loaded
}
