// What the contract has and pages show is named: every value of an enumeration, every field that a form asks for, every verb, clock and event.
import { readFileSync } from 'node:fs'
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { METHODS } from '../src/gen/methods'
import { ENUMS } from '../src/words/enums'
import { fieldName } from '../src/words/fields'
import { clocks, rpcOf, verbs } from '../src/ticket/verbs'

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(new URL('../src/gen/contract.bin', import.meta.url))))
const ours = [...registry].filter(type => type.typeName.startsWith('drumtower.') && !type.typeName.startsWith('drumtower.options.') && !type.typeName.startsWith('drumtower.log.'))
const short = (name: string) => name.replace(/^drumtower\.\w+\.v1\./, '')
// Rooms add the names of their own forms' fields where they are loaded.
await Promise.all(Object.values(import.meta.glob('../src/*/words.ts')).map(load => load()))

describe('enumerations', () => {
  const enums = ours.flatMap(type => (type.kind === 'enum' ? [type] : []))
  it.each(enums.map(one => [short(one.typeName), one] as const))('%s', (name, one) => {
    const values = one.values.map(value => value.localName).filter(value => !value.endsWith('_UNSPECIFIED') && value !== 'UNSPECIFIED')
    const named = ENUMS[name] ?? {}
    expect(values.filter(value => !named[value])).toEqual([])
  })
})

describe('forms', () => {
  // Whatever a page opens a form for: it says so by `rpc` (or `like`), and a request's verbs are forms all.
  const pages = Object.values(import.meta.glob('../src/**/*.vue', { query: '?raw', import: 'default', eager: true }) as Record<string, string>).join('\n')
  const opened = new Set([...pages.matchAll(/\brpc="(\w+\.\w+)"(?: like="(\w+\.\w+)")?/g)].map(([, rpc, like]) => like ?? rpc))
  const isVerb = (name: string) => /^\/v1\/tickets\/\{ticket_id\}:\w+$/.test(METHODS[name as keyof typeof METHODS]?.path ?? '')
  const rpcs = ours.flatMap(type => (type.kind === 'service' ? type.methods : [])).filter(rpc => {
    const name = `${short(rpc.parent.typeName)}.${rpc.name}`
    return opened.has(name) || isVerb(name)
  })
  const HIDDEN = new Set(['etag', 'device_time', 'taken_at', 'content'])
  it.each(rpcs.map(rpc => [`${short(rpc.parent.typeName)}.${rpc.name}`, rpc] as const))('%s', (_, rpc) => {
    const path = METHODS[`${short(rpc.parent.typeName)}.${rpc.name}` as keyof typeof METHODS].path
    const asked = rpc.input.fields.filter(field => !HIDDEN.has(field.name) && !path.includes(`{${field.name}}`))
    expect(asked.filter(field => !fieldName(rpc.input.name, field.name)).map(field => field.name)).toEqual([])
  })
})

describe('verbs', () => {
  it.each(Object.values(METHODS).flatMap(facts => /^\/v1\/tickets\/\{ticket_id\}:(\w+)$/.exec(facts.path)?.[1] ?? []))('%s', verb => {
    expect(verb in verbs || verbs[verb as 'accept'] !== verb).toBe(true)
    expect(rpcOf(verb)).toBeDefined()
  })
  it('clocks have names', () => {
    expect(clocks.C5).toBe('办结')
  })
})

describe('pairs', () => {
  const files = import.meta.glob('../src/**/*.{ts,vue}', { query: '?raw', import: 'default', eager: true }) as Record<string, string>
  it('no text stands outside of a pair', () => {
    const loose: string[] = []
    for (const [file, text] of Object.entries(files)) {
      if (/\/(gen|words)\//.test(file) || file.endsWith('words.ts')) continue
      const code = text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '').replace(/<!--[\s\S]*?-->/g, '').replace(/\[\s*'[^'\n]*',\s*(?:'[^'\n]*'|"[^"\n]*")\s*,?\s*\]/g, '')
      for (const line of code.split('\n')) if (/[\u4e00-\u9fff]/.test(line)) loose.push(`${file}: ${line.trim()}`)
    }
    // Both sides of one line, or a language by its own name, are pairs too; rows of an example are data.
    expect(loose.filter(line => !/english\(\)|中文|'天', 'd'|examples: |年日\]/.test(line) && /[\u4e00-\u9fff]{2}/.test(line))).toEqual([])
  })
})
