// JSON over HTTP: the way of the phone pages, and of signing in.
import { english } from '../words/language'
import { METHODS, type Methods } from '../gen/methods'
import { Fault, ofJson, unreached } from './fault'
import { district } from './place'
import { heard } from './time'

export type Name = keyof Methods

/** What a transport does with one call. */
export interface Sent {
  name: Name
  request: Record<string, unknown>
  key?: string
  signal?: AbortSignal
  headers?: Record<string, string>
}

const BODIES = new Set(['post', 'put', 'patch'])

/** The path with its fields filled in, and what is left of the request. */
export function address(template: string, request: Record<string, unknown>): { path: string; rest: Record<string, unknown> } {
  const rest = { ...request }
  const path = template.replace(/\{([\w.]+)(?:=[^}]*)?\}/g, (_, name: string) => {
    const parts = name.split('.')
    let value: unknown = request
    for (const part of parts) value = (value as Record<string, unknown> | undefined)?.[part]
    if (parts.length === 1) delete rest[name]
    return encodeURIComponent(String(value ?? ''))
  })
  return { path, rest }
}

function query(rest: Record<string, unknown>): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || value === '' || value === 0 || value === false) continue
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, String(one))
  }
  const text = params.toString()
  return text && `?${text}`
}

/** The request of a call, ready to be sent. */
export function prepare({ name, request, key, signal, headers }: Sent): [string, RequestInit] {
  const facts = METHODS[name]
  const { path, rest } = address(facts.path, request)
  const has = BODIES.has(facts.verb)
  // What is neither in the path nor the body stands in the query, as `update_mask` beside a body that is the thing itself.
  const { [facts.body]: inner, ...beside } = rest
  const body = facts.body === '*' ? rest : (inner ?? {})
  const init: RequestInit = {
    method: facts.verb.toUpperCase(),
    credentials: 'same-origin',
    headers: { 'accept-language': english() ? 'en' : 'zh-CN', ...(has ? { 'content-type': 'application/json' } : {}), ...(key ? { 'idempotency-key': key } : {}), ...headers },
    ...(has ? { body: JSON.stringify(body) } : {}),
    ...(signal ? { signal } : {}),
  }
  return [district + path + (facts.body === '*' ? '' : query(beside)), init]
}

/** What fetch says, or that nothing was reached. */
export async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    const answer = await fetch(url, init)
    heard(answer.headers.get('date'))
    return answer
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw unreached()
  }
}

/** The fault of an answer that is no success. */
export async function refused(answer: Response): Promise<Fault> {
  const id = answer.headers.get('x-request-id') ?? ''
  return ofJson(await answer.json().catch(() => ({})), id)
}

export async function unary(sent: Sent): Promise<unknown> {
  const answer = await reach(...prepare(sent))
  if (!answer.ok) throw await refused(answer)
  return answer.json()
}

/** Messages of a stream, one JSON line each. */
export async function* stream(sent: Sent): AsyncGenerator<unknown> {
  const answer = await reach(...prepare(sent))
  if (!answer.ok) throw await refused(answer)
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  let kept = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (kept + value).split('\n')
    kept = lines.pop()!
    for (const line of lines.filter(Boolean)) {
      const message = JSON.parse(line)
      if (message.error) throw ofJson(message, '')
      yield message
    }
  }
}
