// One way to call: typed by the contract, with a key that makes it safe to send again, a session that is asked for when it has ended,
// and a little patience with a server that is starting.
import { METHODS, type Methods } from '../gen/methods'
import { Fault } from './fault'
import * as http from './http'
import { signInAgain } from './session'

export type Name = keyof Methods
export type In<N extends Name> = Partial<Methods[N]['in']>
export type Out<N extends Name> = Methods[N]['out']

/** How calls travel. The console uses gRPC-Web, the phone JSON. */
export interface Transport {
  unary(sent: http.Sent): Promise<unknown>
  stream(sent: http.Sent): AsyncGenerator<unknown>
}

let transport: Transport = http

/** Chooses the way once, when an entry starts. */
export function travel(by: Transport) {
  transport = by
}

/** A new idempotency key. `crypto.randomUUID` is missing where a page came by plain HTTP. */
export function key(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}

export interface Options {
  /** The key of an earlier attempt, when this is the same wish again. */
  key?: string
  signal?: AbortSignal
}

const WAITS = [400, 1500, 4000]

/** Calls, and answers or throws a {@link Fault}. Unless it only reads, a call carries one key through all its attempts. */
export async function call<N extends Name>(name: N, request: In<N> = {}, options: Options = {}): Promise<Out<N>> {
  const facts = METHODS[name]
  const sent: http.Sent = { name, request: request as Record<string, unknown>, ...(facts.reads ? {} : { key: options.key ?? key() }), ...(options.signal ? { signal: options.signal } : {}) }
  for (let attempt = 0; ; ) {
    try {
      return (await transport.unary(sent)) as Out<N>
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      if (error.status === 'UNAUTHENTICATED' && !facts.public && (await signInAgain())) continue
      const wait = WAITS[attempt++]
      if (!error.isOpen || wait === undefined || options.signal?.aborted || globalThis.navigator?.onLine === false) throw error
      await new Promise(done => setTimeout(done, wait * (0.75 + Math.random() / 2)))
    }
  }
}

/** Messages of a stream until it ends. */
export function listen<N extends Name>(name: N, request: In<N>, signal: AbortSignal): AsyncGenerator<Out<N>> {
  return transport.stream({ name, request: request as Record<string, unknown>, signal }) as AsyncGenerator<Out<N>>
}
