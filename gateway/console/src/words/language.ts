// The language of the pages. Every text is written as a pair, Chinese first; which of them shows is one switch.
import { ref } from 'vue'

export type Language = 'zh' | 'en'

const kept = globalThis.localStorage?.getItem('language')
export const language = ref<Language>(kept === 'en' ? 'en' : 'zh')

export const english = () => language.value === 'en'

export function speak(to: Language) {
  language.value = to
  localStorage.setItem('language', to)
  document.documentElement.lang = to === 'en' ? 'en' : 'zh-CN'
}

type Pair = readonly [zh: string, en: string]

/** The texts of a room. Reading one gives it in the language of the moment. */
export function words<T extends Record<string, Pair>>(pairs: T): { readonly [K in keyof T]: string } {
  return new Proxy(pairs, { get: (all, name: string) => all[name]?.[english() ? 1 : 0] ?? name }) as never
}

/** A text with `{name}` replaced. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
}

/** Things one after the other. */
export const listed = (things: (string | number | undefined)[]) => things.join(english() ? ', ' : '、')

/** What something is, and what it is called or says. */
export const labelled = (label: string, text: string | number | undefined) => `${label}${english() ? ': ' : '：'}${text ?? ''}`
