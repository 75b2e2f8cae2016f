// What each means is set by, and which secrets it has (docs/notices.md).
import type { Means, Sender } from '../gen/identity'
import type { Field, Values } from '../parts/form'
import w from './words'

type Known = Exclude<Means, 'MEANS_UNSPECIFIED'>
export const MEANS: Known[] = ['WECHAT', 'SMS', 'EMAIL']

const text = (name: keyof typeof w, required = false): Field => ({ name, label: w[name], widget: 'text', required, max: 500 })
const secret = (name: keyof typeof w): Field => ({ name, label: w[name], widget: 'secret', required: false })

export function settingsOf(means: Known): Field[] {
  if (means === 'WECHAT') return [text('app_id', true), text('template_id', true), text('fields'), text('page_url'), text('base_url')]
  if (means === 'SMS') return [text('url', true), text('signature', true)]
  const security: Field = { name: 'security', label: w.security, widget: 'choice', required: true, options: ['TLS', 'STARTTLS', 'NONE'].map(value => ({ value, label: value })) }
  return [text('host', true), { name: 'port', label: w.port, widget: 'number', required: true, min: 1, max: 65535 }, security, text('from', true), text('username')]
}
export function secretsOf(means: Known): Field[] {
  if (means === 'WECHAT') return [secret('app_secret'), secret('token'), secret('aes_key')]
  return [secret(means === 'SMS' ? 'secret' : 'password')]
}

/** A sender as the form's values. */
export function open(sender: Sender | undefined): Values {
  const settings = JSON.parse(sender?.settings || '{}') as Values
  return { security: 'TLS', port: 465, ...settings, ...(settings.fields ? { fields: JSON.stringify(settings.fields) } : {}) }
}

/** And back: what is empty is left out, so that it stays or is the platform's own. */
export function close(means: Known, values: Values): { settings: string; secrets: string } {
  const filled = (fields: Field[]) => Object.fromEntries(fields.map(field => [field.name, values[field.name]]).filter(([, value]) => value !== undefined && value !== ''))
  const settings = filled(settingsOf(means))
  if (settings.fields) settings.fields = JSON.parse(String(settings.fields)) as unknown
  return { settings: JSON.stringify(settings), secrets: JSON.stringify(filled(secretsOf(means))) }
}
