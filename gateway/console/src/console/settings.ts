// What a person sets for this browser: size of everything, light or dark.
import { ref, watchEffect } from 'vue'
import { language, speak } from '../words/language'

export const large = ref(localStorage.getItem('large') === 'yes')
export const dark = ref(localStorage.getItem('dark') === 'yes')

export function begin() {
  speak(language.value)
  watchEffect(() => {
    document.documentElement.classList.toggle('large', large.value)
    document.documentElement.classList.toggle('dark', dark.value)
    localStorage.setItem('large', large.value ? 'yes' : 'no')
    localStorage.setItem('dark', dark.value ? 'yes' : 'no')
  })
}
