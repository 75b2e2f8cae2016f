// The district's own face: product name, colour, logo. The pages work without.
import { shallowRef } from 'vue'
import { call } from '../api/call'
import { tenant } from '../api/session'
import { METHODS } from '../gen/methods'
import { english } from '../words/language'

export interface Brand {
  name: string
  name_en: string
  colour: string
  logo: string
  service_phone: string
  footer: string
  map: string
}
export const brand = shallowRef<Partial<Brand>>({})

export async function loadBrand() {
  if (!('BrandService.GetBrand' in METHODS)) return
  brand.value = (await call('BrandService.GetBrand' as never, {} as never).catch(() => ({}))) as Partial<Brand>
  const { colour } = brand.value
  if (!colour || !/^#[0-9a-f]{6}$/i.test(colour) || colour.toLowerCase() === '#1d5fc2') return
  const root = document.documentElement.style
  root.setProperty('--brand', colour)
  root.setProperty('--brand-dark', `color-mix(in srgb, ${colour} 82%, black)`)
  root.setProperty('--brand-ink', `color-mix(in srgb, ${colour} 82%, black)`)
  root.setProperty('--brand-soft', `color-mix(in srgb, ${colour} 10%, white)`)
}

export const productName = () => (english() ? brand.value.name_en || tenant.value?.name_en || 'Drumtower' : brand.value.name || tenant.value?.name || '鼓楼')
