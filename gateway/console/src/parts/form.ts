// Fields of a form, read from the contract: what a request takes, which limits hold, what an id points to. A form says only what it leaves out.
import { getOption, type DescExtension, type DescField, type DescMethod } from '@bufbuild/protobuf'
import { method, registry } from '../api/contract'
import c from '../words/everywhere'
import { options } from '../words/enums'
import { fieldName } from '../words/fields'
import { fill } from '../words/language'
import { instant } from './format'

export type Widget = 'text' | 'secret' | 'long' | 'choice' | 'switch' | 'number' | 'instant' | 'day' | 'unit' | 'units' | 'user' | 'enterprise' | 'enterprises' | 'building' | 'zone' | 'organisation' | 'attachments' | 'attachment' | 'tags' | 'id' | 'rows'

export interface Field {
  name: string
  label: string
  widget: Widget
  required: boolean
  min?: number
  max?: number
  pattern?: RegExp
  options?: { value: string; label: string }[]
  /** What an id points to. */
  of?: string
  /** Fields of the rows of a repeated message. */
  fields?: Field[]
}

export type Values = Record<string, unknown>

interface Rules {
  required?: boolean
  type?: { case?: string; value?: { [name: string]: unknown } }
}

const short = (name: string) => name.replace(/^drumtower\.\w+\.v1\./, '')

function widget(field: DescField, target: string, rules: Rules): Widget {
  const many = field.fieldKind === 'list'
  if (field.message) return field.message.typeName === 'google.protobuf.Timestamp' ? 'instant' : 'rows'
  if (field.enum) return many ? 'tags' : 'choice'
  if (target === 'attachment') return many ? 'attachments' : 'attachment'
  if (target === 'unit') return many ? 'units' : 'unit'
  if (target === 'enterprise' && many) return 'enterprises'
  if (['user', 'enterprise', 'building', 'zone', 'organisation'].includes(target)) return target as Widget
  if (target) return 'id'
  if (field.scalar === 8) return 'switch'
  if (field.scalar !== 9) return 'number'
  if (/(^|_)password$/.test(field.name)) return 'secret'
  const limits = rules.type?.value
  if (String(limits?.pattern ?? '').includes('[0-9]{4}-[0-9]{2}-[0-9]{2}')) return 'day'
  return Number(limits?.maxLen ?? 0) > 200 ? 'long' : 'text'
}

/** Options that a page knows and the contract does not, by the path of their field: `desk`, `decisions.unit_id`. */
export type Choices = Record<string, { value: string; label: string }[]>

interface Asked {
  rule: DescExtension
  ref: DescExtension
  without: string[]
  choices: Choices
}

function read(field: DescField, message: string, path: string, asked: Asked): Field {
  const { rule, ref, choices } = asked
  const rules = (getOption(field, rule) ?? {}) as Rules
  const limits = rules.type?.value ?? {}
  const target = String(getOption(field, ref) ?? '')
  // What is not set shows as its default; only what a message has of its own is a limit.
  const bound = (side: string) => (Object.hasOwn(limits, side) ? Number(limits[side]) : undefined)
  const isText = rules.type?.case === 'string'
  const isList = rules.type?.case === 'repeated'
  // A form that nothing fits is one that has to be filled in.
  const pattern = isText && limits.pattern ? new RegExp(String(limits.pattern), 'u') : undefined
  const made: Field = {
    name: field.name,
    label: fieldName(message, field.name) ?? field.name,
    widget: widget(field, target, rules),
    required: Boolean(rules.required) || pattern?.test('') === false || (isText && (Number(limits.minLen ?? 0) > 0 || (limits.wellKnown as { case?: string } | undefined)?.case === 'uuid')) || (isList && Number(limits.minItems ?? 0) > 0),
    min: bound(isText ? 'minLen' : isList ? 'minItems' : 'gte'),
    max: bound(isText ? 'maxLen' : isList ? 'maxItems' : 'lte'),
    of: target || undefined,
  }
  if (pattern) made.pattern = pattern
  // A number from 1 on: the zero of an empty field is refused.
  made.required ||= made.widget === 'number' && (made.min ?? 0) >= 1
  if (field.enum) made.options = options(short(field.enum.typeName))
  if (made.widget === 'rows' && field.message) made.fields = shown(field.message.fields, short(field.message.typeName), `${path}.`, asked)
  if (choices[path]) {
    made.widget = field.fieldKind === 'list' ? 'tags' : 'choice'
    made.options = choices[path]
  }
  return made
}

function shown(fields: DescField[], message: string, under: string, asked: Asked): Field[] {
  return fields.filter(field => !asked.without.includes(under + field.name) && !HIDDEN.has(field.name)).map(field => read(field, message, under + field.name, asked))
}

const HIDDEN = new Set(['etag', 'device_time', 'taken_at'])

/** The fields of an RPC's request, without those that the page fills in itself (`etag`, `desks.number`). */
export async function fieldsOf(name: string, without: string[] = [], choices: Choices = {}): Promise<Field[]> {
  const all = await registry()
  const rpc: DescMethod = await method(name)
  const rule = all.getExtension('buf.validate.field')!
  const ref = all.getExtension('drumtower.options.v1.ref')!
  return shown(rpc.input.fields, rpc.input.name, '', { rule, ref, without, choices })
}

/** What is wrong with a value, as the server would say; nothing when it is good. */
export function wrong(field: Field, value: unknown): string | undefined {
  if (field.widget === 'switch') return undefined
  if (Array.isArray(value)) {
    if (field.required && value.length < (field.min ?? 1)) return fill(c.atLeastItems, { n: field.min ?? 1 })
    return undefined
  }
  const isEmpty = value === undefined || value === null || String(value).trim() === ''
  if (isEmpty) return field.required ? (['text', 'secret', 'long', 'number'].includes(field.widget) ? c.required : c.pickOne) : undefined
  if (field.widget === 'number') {
    if (field.min !== undefined && Number(value) < field.min) return fill(c.atLeast, { n: field.min })
    if (field.max !== undefined && Number(value) > field.max) return fill(c.atMost, { n: field.max })
    return undefined
  }
  if (field.widget !== 'text' && field.widget !== 'secret' && field.widget !== 'long' && field.widget !== 'day') return undefined
  const length = [...String(value)].length
  if (field.min !== undefined && length < field.min) return fill(c.tooShort, { n: field.min })
  if (field.max !== undefined && length > field.max) return fill(c.tooLong, { n: field.max })
  if (field.pattern && !field.pattern.test(String(value))) return c.pattern
  return undefined
}

/** Everything that is wrong, by field. Rows are looked at one by one, as `decisions.0.text`. */
export function faults(fields: Field[], values: Values): Record<string, string> {
  const found: Record<string, string> = {}
  for (const field of fields) {
    const fault = wrong(field, values[field.name])
    if (fault) found[field.name] = fault
    if (field.widget !== 'rows') continue
    for (const [index, row] of ((values[field.name] ?? []) as Values[]).entries()) {
      for (const [name, fault] of Object.entries(faults(field.fields ?? [], row))) found[`${field.name}.${index}.${name}`] = fault
    }
  }
  return found
}

/** What is sent of the values: nothing that was left empty, local times as instants. */
export function ready(fields: Field[], values: Values): Values {
  const sent: Values = {}
  for (const field of fields) {
    const value = values[field.name]
    if (value === undefined || value === null || value === '') continue
    if (field.widget === 'instant') sent[field.name] = instant(String(value))
    else if (field.widget === 'rows') sent[field.name] = (value as Values[]).map(row => ready(field.fields ?? [], row))
    else sent[field.name] = value
  }
  return sent
}

/** The label of a field by its path, `decisions.0.text`. */
export function labelOf(fields: Field[], path: string): string {
  let here = fields
  let label = ''
  for (const part of path.split('.')) {
    const field = here.find(one => one.name === part)
    if (!field) continue
    label = field.label
    here = field.fields ?? []
  }
  return label || path
}
