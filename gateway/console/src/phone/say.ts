// A word about what was just done, for a few seconds, whichever page is shown then.
import { ref } from 'vue'

export const said = ref('')
let timer: ReturnType<typeof setTimeout>

export function say(text: string) {
  said.value = text
  clearTimeout(timer)
  timer = setTimeout(() => (said.value = ''), 6000)
}
