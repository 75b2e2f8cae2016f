// gRPC-Web: the way of the console. Messages are made from the compiled contract at run time and handed on in the same JSON shape
// as the phone's, so that a page reads the same fields whichever way they came.
import { fromJson, toJson, type DescMethodStreaming, type DescMethodUnary, type JsonValue } from '@bufbuild/protobuf'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { Code, ConnectError } from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-web'
import { english } from '../words/language'
import { method, registry } from './contract'
import { Fault, unreached, type Violation } from './fault'
import type { Sent } from './http'
import { district } from './place'
import { heard } from './time'

const transport = createGrpcWebTransport({
  baseUrl: district || '/',
  fetch: async (input, init) => {
    const answer = await fetch(input, { ...init, credentials: 'same-origin' })
    heard(answer.headers.get('date'))
    return answer
  },
})

const NAMES = ['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED']

// The details of a refusal (google.rpc), which are not in the contract: three messages of text fields.
function texts(bytes: Uint8Array): Map<number, Uint8Array[]> {
  const reader = new BinaryReader(bytes)
  const all = new Map<number, Uint8Array[]>()
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    if (type === 2) all.set(number, [...(all.get(number) ?? []), reader.bytes()])
    else reader.skip(type)
  }
  return all
}
const decoder = new TextDecoder()
const text = (fields: Map<number, Uint8Array[]>, number: number) => decoder.decode(fields.get(number)?.[0])

function fault(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error instanceof TypeError ? unreached() : error
  if (error.cause instanceof TypeError) return unreached()
  const made = new Fault(NAMES[error.code] ?? 'UNKNOWN', error.rawMessage, { requestId: error.metadata.get('x-request-id') ?? '' })
  for (const detail of error.details) {
    if (!('type' in detail) || !(detail.value instanceof Uint8Array)) continue
    const fields = texts(detail.value)
    if (detail.type === 'google.rpc.ErrorInfo') {
      made.reason = text(fields, 1)
      made.metadata = Object.fromEntries((fields.get(3) ?? []).map(entry => [text(texts(entry), 1), text(texts(entry), 2)]))
    } else if (detail.type === 'google.rpc.BadRequest') {
      made.fields = (fields.get(1) ?? []).map((entry): Violation => ({ field: text(texts(entry), 1), description: text(texts(entry), 2) }))
    } else if (detail.type === 'google.rpc.LocalizedMessage' && !english()) made.message = text(fields, 2)
  }
  return made
}

function headers({ key, headers }: Sent): Headers {
  return new Headers({ 'accept-language': english() ? 'en' : 'zh-CN', ...(key ? { 'idempotency-key': key } : {}), ...headers })
}

const SHAPE = { useProtoFieldName: true, alwaysEmitImplicit: true }

export async function unary(sent: Sent): Promise<unknown> {
  try {
    const rpc = (await method(sent.name)) as DescMethodUnary
    const types = { registry: await registry() }
    const input = fromJson(rpc.input, sent.request as JsonValue, { ...types, ignoreUnknownFields: true })
    const answer = await transport.unary(rpc, sent.signal, undefined, headers(sent), input)
    return toJson(rpc.output, answer.message, { ...SHAPE, ...types })
  } catch (error) {
    if (sent.signal?.aborted || (error instanceof ConnectError && error.code === Code.Canceled)) throw error
    throw fault(error)
  }
}

export async function* stream(sent: Sent): AsyncGenerator<unknown> {
  try {
    const rpc = (await method(sent.name)) as DescMethodStreaming
    const types = { registry: await registry() }
    const input = fromJson(rpc.input, sent.request as JsonValue, types)
    const once = (async function* () {
      yield input
    })()
    const answer = await transport.stream(rpc, sent.signal, undefined, headers(sent), once)
    for await (const message of answer.message) yield toJson(rpc.output, message, { ...SHAPE, ...types })
  } catch (error) {
    if (sent.signal?.aborted) return
    throw fault(error)
  }
}
