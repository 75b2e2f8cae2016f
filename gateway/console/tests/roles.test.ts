// Permissions that roles grant have names, and a chain that was reckoned elsewhere reckons the same here.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { covered, microseconds } from '../src/audit/chain'
import { before, end, fits, search, traceOf, writtenAt, type Read } from '../src/audit/log'
import type { Event } from '../src/gen/log'
import { ROLES } from '../src/gen/roles'
import { permissionName } from '../src/role/words'
import { turned, year } from '../src/setting/calendar'

it('every permission that a role grants has a name', () => {
  const codes = [...new Set(Object.values(ROLES).flatMap(role => role.grants))]
  expect(codes.filter(code => permissionName(code) === code)).toEqual([])
})

const START = Date.UTC(2026, 10, 1)
/** Event number `seq`, written a minute after the one before. */
function event(seq: number, more: Partial<Event> = {}): Event {
  const at = START + seq * 60_000
  const id = at.toString(16).padStart(12, '0')
  return {
    seq: String(seq), prev: btoa('\0'.repeat(32)), hash: '', event_id: `${id.slice(0, 8)}-${id.slice(8)}-7000-8000-${String(seq).padStart(12, '0')}`, type: 'ticket.signed', subject: 's', version: '1', payload: '{}',
    actor: 'service:ticketing', at: new Date(at).toISOString(), traceparent: `00-${String(seq).padStart(32, '0')}-${'1'.repeat(16)}-01`, notify: [], ...more,
  }
}
const log = (length: number): Read => async (after, size) => Array.from({ length: Math.max(0, Math.min(size, length - after)) }, (_, index) => event(after + index + 1))

describe('the log', () => {
  it.each([0, 1, 2, 1023, 1024, 1025, 5000])('of %i events ends there', async length => expect(await end(log(length))).toBe(length))
  it('is found by time', async () => {
    expect(await before(log(3000), START + 1500 * 60_000)).toBe(1499)
    expect(await before(log(3000), START)).toBe(0)
    expect(await before(log(3000), START + 1e12)).toBe(3000)
    expect(writtenAt(event(7))).toBe(START + 7 * 60_000)
  })
  it('is searched backwards, without leaving anything out or saying it twice', async () => {
    const every = (n: number): Read => async (after, size) => (await log(1000)(after, size)).map(one => (Number(one.seq) % n ? one : { ...one, actor: 'me' }))
    const seen: number[] = []
    const first = await search(every(100), 1000, 0, { actor: 'me' }, 3, lowest => seen.push(lowest), new AbortController().signal)
    expect(first.events.map(one => one.seq)).toEqual(['1000', '900', '800', '700'].slice(0, first.events.length))
    const rest = await search(every(100), first.lowest, 0, { actor: 'me' }, 50, () => {}, new AbortController().signal)
    expect([...first.events, ...rest.events].map(one => Number(one.seq))).toEqual([1000, 900, 800, 700, 600, 500, 400, 300, 200, 100])
    expect(seen[0]).toBe(800)
  })
  it('is narrowed by person, row, event and trace', () => {
    expect(fits(event(1), { type: 'ticket.' })).toBe(true)
    expect(fits(event(1), { type: 'ticket' })).toBe(false)
    expect(fits(event(1, { payload: '{"enterprise":"e"}' }), { subject: 'e' })).toBe(true)
    expect(fits(event(12), { trace: traceOf(event(12)) })).toBe(true)
    expect(fits(event(12), { trace: traceOf(event(13)) })).toBe(false)
  })
})

describe('the chain', () => {
  it('counts microseconds', () => {
    expect(microseconds('1970-01-01T00:00:01Z')).toBe(1_000_000n)
    expect(microseconds('2026-11-26T23:27:04.093781Z')).toBe(BigInt(Date.UTC(2026, 10, 26, 23, 27, 4)) * 1000n + 93781n)
  })
  // The service's own test (services/runtime/src/log/chain.rs) has this event.
  it('covers each field with its length before it', () => {
    const link = { ...event(1), event_id: '00000000-0000-0000-0000-000000000000', payload: '{}', actor: 'a', at: '1970-01-01T00:00:00Z', traceparent: '' }
    const sum = (type: string, subject: string) => createHash('sha256').update(covered({ ...link, type, subject }, 1)).digest('hex')
    expect(sum('ab', 'c')).not.toBe(sum('a', 'bc'))
    expect(covered({ ...link, type: 'ab', subject: 'c' }, 1).length).toBe(12 * 8 + 32 + 4 + 8 + 16 + 2 + 1 + 8 + 2 + 1 + 8 + 0 + 2)
  })
})

describe('the calendar', () => {
  it('has the nation’s days off and make-up workdays', () => {
    const months = year({ name: 'x' }, 2026)
    expect(months.reduce((sum, month) => sum + month.workdays, 0)).toBe(248)
    expect(months[0]!.days[3]).toMatchObject({ date: '2026-01-04', what: 'makeup', own: false })
  })
  it('is turned day by day and back', () => {
    const date = '2026-03-04'
    const off = turned({ name: 'x' }, date)
    expect(year(off, 2026)[2]!.days[3]).toMatchObject({ what: 'holiday', own: true })
    const work = turned(off, date)
    expect(year(work, 2026)[2]!.days[3]).toMatchObject({ what: 'workday', own: true })
    expect(turned(work, date)).toEqual({ name: 'x', days: [] })
  })
})
