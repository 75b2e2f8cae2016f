// The district's own face: product name, colour, logo. The pages work without.
import { shallowRef, watchEffect } from 'vue'
import { call } from '../api/call'
import { tenant } from '../api/session'
import type { Brand } from '../gen/identity'
import { english } from '../words/language'
import { dark } from './settings'
import { tints } from './tints'

export const brand = shallowRef<Partial<Brand>>({})

function paint() {
  const { accent } = brand.value
  const { style } = document.documentElement
  const own = accent && accent.toLowerCase() !== '#1d5fc2' ? tints(accent, dark.value) : {}
  for (const name of ['brand', 'brand-dark', 'brand-ink', 'brand-soft'] as const) style.setProperty(`--${name}`, own[name] ?? '')
}

let painted = false
export async function loadBrand() {
  brand.value = await call('BrandService.GetBrand').catch(() => ({}))
  if (!painted) watchEffect(paint)
  painted = true
}

export const productName = () => (english() ? brand.value.name_en || tenant.value?.name_en || 'Drumtower' : brand.value.name || tenant.value?.name || '鼓楼')

/** The same for a phone's header. */
export const shortName = () => (english() ? brand.value.short_name_en : brand.value.short_name) || productName()

/** The sign as an address, the platform's own when the district has none. */
export const logo = () => (brand.value.logo ? `data:${brand.value.logo_type};base64,${brand.value.logo}` : '/favicon.svg')

/** What stands at the foot of a page, in order. */
export const footer = () => [brand.value.sponsor, brand.value.icp_record, brand.value.security_record].filter(Boolean)
