// The chain, reckoned again in the browser: each event's hash covers its fields and the hash before it (services/runtime/src/log/chain.rs).
// Only where the page came by HTTPS or from this machine does a browser reckon SHA-256; elsewhere the links alone are looked at.
import type { Event, Notify } from '../gen/log'
import type { Read } from './log'

const encoder = new TextEncoder()
const bytes = (base64: string) => Uint8Array.from(atob(base64), letter => letter.charCodeAt(0))
const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], pair => parseInt(pair, 16))

function number(value: bigint, size: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(size))
  if (size === 4) view.setInt32(0, Number(value))
  else view.setBigInt64(0, value)
  return new Uint8Array(view.buffer)
}

// As the service keeps it: its own names, in their order, without what is empty or false at the end.
function kept(notify: Notify[]): string {
  return JSON.stringify(notify.map(one => ({ user: one.user_id, unit: one.unit_id, role: one.role, kind: one.kind, zh: one.text_zh, en: one.text_en, ...(one.enterprise_id ? { enterprise: one.enterprise_id } : {}), ...(one.urgent ? { urgent: true } : {}) })))
}

/** Microseconds since 1970 of RFC 3339 text with up to nine digits. */
export function microseconds(at: string): bigint {
  const digits = (/\.(\d+)/.exec(at)?.[1] ?? '').padEnd(6, '0').slice(0, 6)
  const whole = BigInt(Date.parse(at.replace(/\.\d+/, ''))) * 1000n
  return whole + BigInt(digits)
}

/** What the hash covers, each field with its length before it. */
export function covered(event: Event, tenant: number): Uint8Array<ArrayBuffer> {
  const parts = [
    bytes(event.prev),
    number(BigInt(tenant), 4),
    number(BigInt(event.seq), 8),
    hex(event.event_id.replaceAll('-', '')),
    encoder.encode(event.type),
    encoder.encode(event.subject),
    number(BigInt(event.version), 8),
    encoder.encode(event.payload),
    encoder.encode(event.actor),
    number(microseconds(event.at ?? ''), 8),
    encoder.encode(event.traceparent),
    encoder.encode(kept(event.notify)),
  ]
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + 8 + part.length, 0))
  let place = 0
  for (const part of parts) {
    whole.set(number(BigInt(part.length), 8), place)
    whole.set(part, place + 8)
    place += 8 + part.length
  }
  return whole
}

export const canReckon = () => Boolean(globalThis.crypto?.subtle)

export interface Verdict {
  looked: number
  /** Numbers at which the chain does not hold, and how. */
  broken: { seq: string; why: 'gap' | 'link' | 'changed' }[]
  reckoned: boolean
}

/** Looks at all events after a number up to another. */
export async function verify(read: Read, from: number, to: number, tenant: number, seen: (looked: number) => void, signal: AbortSignal): Promise<Verdict> {
  const verdict: Verdict = { looked: 0, broken: [], reckoned: canReckon() }
  let [last] = from > 0 ? await read(from - 1, 1) : []
  for (let after = from; after < to && !signal.aborted; ) {
    const page = await read(after, Math.min(200, to - after))
    if (!page.length) {
      verdict.broken.push({ seq: String(after + 1), why: 'gap' })
      break
    }
    for (const event of page) {
      if (Number(event.seq) !== after + 1) verdict.broken.push({ seq: event.seq, why: 'gap' })
      const prev = last ? last.hash : Number(event.seq) === 1 ? btoa('\0'.repeat(32)) : event.prev
      if (event.prev !== prev) verdict.broken.push({ seq: event.seq, why: 'link' })
      if (verdict.reckoned) {
        const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', covered(event, tenant)))
        if (btoa(String.fromCharCode(...hash)) !== event.hash) verdict.broken.push({ seq: event.seq, why: 'changed' })
      }
      last = event
      after = Number(event.seq)
      verdict.looked += 1
    }
    seen(verdict.looked)
  }
  return verdict
}
