// The server's time: due times are shown by it, whatever the device's clock says.
import { onScopeDispose, ref, type Ref } from 'vue'

let offset = 0

/** An answer said what time it is, to the second. */
export function heard(date: string | null) {
  const server = date ? Date.parse(date) : NaN
  if (Number.isNaN(server)) return
  const off = server + 500 - Date.now()
  // Half a second of rounding and the way here are no difference.
  if (Math.abs(off - offset) > 1500) offset = off
}

/** Now, by the server, milliseconds. */
export const now = () => Date.now() + offset

const shared = ref(now())
let watchers = 0
let timer: ReturnType<typeof setInterval> | undefined

/** Now, once a second, one clock for all that shows time. */
export function useNow(): Readonly<Ref<number>> {
  shared.value = now()
  watchers += 1
  timer ??= setInterval(() => (shared.value = now()), 1000)
  onScopeDispose(() => {
    watchers -= 1
    if (watchers === 0) {
      clearInterval(timer)
      timer = undefined
    }
  })
  return shared
}
