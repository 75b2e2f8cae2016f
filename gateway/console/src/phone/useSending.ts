// Sending a form on a phone: what is wrong is shown first, what the server refuses where it belongs, and the draft rests meanwhile.
import { nextTick, ref, shallowRef, useTemplateRef } from 'vue'
import { Fault } from '../api/fault'
import type Faults from './Faults.vue'

/** For a form whose faults stand in `<Faults ref="summary">`. A draft rests while it is on its way; what somebody else changed is loaded anew. */
export function useSending(rest: (on: boolean) => void = () => {}, reload: () => unknown = () => {}) {
  const found = ref<Record<string, string>>({})
  const failed = shallowRef<Fault>()
  const sending = ref(false)
  const summary = useTemplateRef<InstanceType<typeof Faults>>('summary')
  const show = () => nextTick(() => summary.value?.focus())

  /** Sends, unless something is wrong or it is on its way already. Whether it was sent. */
  async function send(wrongs: Record<string, string>, sent: () => Promise<void>): Promise<boolean> {
    if (sending.value) return false
    found.value = wrongs
    failed.value = undefined
    if (Object.keys(wrongs).length) {
      await show()
      return false
    }
    sending.value = true
    rest(true)
    try {
      await sent()
      return true
    } catch (error) {
      rest(false)
      if (!(error instanceof Fault)) throw error
      failed.value = error
      for (const violation of error.fields) found.value[violation.field] = error.message
      if (error.status === 'ABORTED') void reload()
      await show()
      return false
    } finally {
      sending.value = false
    }
  }
  return { found, failed, sending, send }
}
