// Types, routes, roles and the descriptors of the contract, for the pages. Everything here is read from the compiled descriptors:
// what is written is never edited and never committed.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { create, createFileRegistry, fromBinary, getExtension, hasExtension, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'

const folder = new URL('../src/gen/', import.meta.url)
const root = new URL('../../../', import.meta.url)
const command = ['run', '--quiet', '--locked', ...process.argv.slice(2), '-p', 'drumtower-proto', '--example', 'descriptors']
const bytes = execFileSync('cargo', command, { cwd: root, maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'inherit'] })

const set = fromBinary(FileDescriptorSetSchema, bytes)
const registry = createFileRegistry(set)
const access = registry.getExtension('drumtower.options.v1.access')
const route = registry.getExtension('google.api.http')
const role = registry.getExtension('drumtower.options.v1.role')

const ours = [...registry.files].filter(file => file.proto.package.startsWith('drumtower.'))
const short = name => name.replace(/^drumtower\.\w+\.v1\./, '')
const room = name => /^drumtower\.(\w+)\./.exec(name)?.[1]
const flat = desc => short(desc.typeName).replaceAll('.', '_')

// Comments of a file by the path of what they stand before.
function comments(file) {
  const found = new Map()
  for (const place of file.proto.sourceCodeInfo?.location ?? []) {
    if (place.leadingComments) found.set(place.path.join(), place.leadingComments.trim().replace(/\s+/g, ' '))
  }
  return found
}

const NUMBERS = new Set([1, 2, 5, 7, 13, 15, 17]) // double, float and the 32-bit integers; 64-bit ones are text in JSON

function single(field, home) {
  const message = field.message
  if (message) {
    if (message.typeName === 'google.protobuf.Timestamp') return 'string'
    return named(message, home)
  }
  if (field.enum) return named(field.enum, home)
  if (field.scalar === 8) return 'boolean'
  return NUMBERS.has(field.scalar) ? 'number' : 'string'
}

function named(desc, home) {
  const where = room(desc.typeName)
  if (!where) return 'unknown'
  return where === home ? flat(desc) : `${where}.${flat(desc)}`
}

function messages(list, home, said, path, out) {
  list.forEach((message, index) => {
    const here = [...path, path.length ? 3 : 4, index]
    const lines = message.fields.map((field, place) => {
      const comment = said.get([...here, 2, place].join())
      const many = field.fieldKind === 'list'
      const type = single(field, home) + (many ? '[]' : '')
      const absent = !many && field.message ? '?' : ''
      return `${comment ? `  /** ${comment} */\n` : ''}  ${field.name}${absent}: ${type}`
    })
    out.push(`/** ${said.get(here.join()) ?? ''} */\nexport interface ${flat(message)} {\n${lines.join('\n')}\n}`)
    enums(message.nestedEnums, out)
    messages(message.nestedMessages, home, said, here, out)
  })
}

function enums(list, out) {
  for (const one of list) {
    const values = one.values.map(value => `'${value.name}'`)
    out.push(`export type ${flat(one)} = ${values.join(' | ')}`)
  }
}

function types(home) {
  const others = ['identity', 'enterprise', 'party', 'ticketing', 'options', 'log'].filter(other => other !== home)
  const out = ['// Made from the contract; not to be edited.']
  const body = []
  for (const file of ours.filter(file => room(file.proto.package + '.') === home)) {
    enums(file.enums, body)
    messages(file.messages, home, comments(file), [], body)
  }
  const text = body.join('\n\n')
  for (const other of others) if (new RegExp(`\\b${other}\\.[A-Z]`).test(text)) out.push(`import type * as ${other} from './${other}'`)
  return out.concat(text).join('\n\n') + '\n'
}

// A method: verb and path of its JSON route, what its body is, who may call it, and whether it only reads or streams.
function method(rpc) {
  const options = rpc.proto.options
  const rule = getExtension(options, access)
  const http = hasExtension(options, route) ? getExtension(options, route) : undefined
  const pattern = http?.pattern
  if (rule.who.case === 'internal' || !pattern?.case) return undefined
  const facts = { verb: pattern.case, path: pattern.value, body: http.body, ...(rule.who.case === 'permission' ? { permission: rule.who.value } : {}) }
  if (rule.who.case === 'public') facts.public = true
  if (rule.reads) facts.reads = true
  if (rpc.methodKind === 'server_streaming') facts.streams = true
  return facts
}

function methods() {
  const rows = []
  const kinds = []
  const rooms = new Set()
  for (const file of ours) {
    for (const service of file.services) {
      for (const rpc of service.methods) {
        const facts = method(rpc)
        if (!facts) continue
        const name = `${service.name}.${rpc.name}`
        rows.push(`  '${name}': ${JSON.stringify(facts)},`)
        const type = desc => (room(desc.typeName) ? (rooms.add(room(desc.typeName)), named(desc)) : 'object')
        kinds.push(`  '${name}': { in: ${type(rpc.input)}; out: ${type(rpc.output)} }`)
      }
    }
  }
  const imports = [...rooms].map(name => `import type * as ${name} from './${name}'`)
  return `// Made from the contract; not to be edited.\n${imports.join('\n')}\n
export interface Facts { verb: string; path: string; body: string; permission?: string; public?: boolean; reads?: boolean; streams?: boolean }\n
export interface Methods {\n${kinds.join('\n')}\n}\n
export const METHODS: Record<keyof Methods, Facts> = {\n${rows.join('\n')}\n}\n`
}

function roles() {
  const values = registry.getEnum('drumtower.options.v1.Role').values.filter(value => value.number)
  const rows = values.map(value => {
    const { zh, en, grants, reach, exclusive } = getExtension(value.proto.options, role)
    return `  ${value.name}: ${JSON.stringify({ zh, en, reach, grants, ...(exclusive ? { exclusive } : {}) })},`
  })
  return `// Made from the contract; not to be edited.\n
export interface RoleRule { zh: string; en: string; reach: number; grants: string[]; exclusive?: string }\n
export const ROLES: Record<string, RoleRule> = {\n${rows.join('\n')}\n}\n`
}

mkdirSync(folder, { recursive: true })
for (const home of ['identity', 'enterprise', 'party', 'ticketing', 'options', 'log']) writeFileSync(new URL(`${home}.ts`, folder), types(home))
writeFileSync(new URL('methods.ts', folder), methods())
writeFileSync(new URL('roles.ts', folder), roles())
const bare = create(FileDescriptorSetSchema, { file: set.file.map(file => ({ ...file, sourceCodeInfo: undefined })) })
writeFileSync(new URL('contract.bin', folder), toBinary(FileDescriptorSetSchema, bare))
