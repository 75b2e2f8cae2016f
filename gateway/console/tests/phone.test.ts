import { describe, expect, it } from 'vitest'
import { isTouched, KEPT_FOR, offered } from '../src/phone/draft'
import { direction, distance, offset, reach } from '../src/phone/geo'
import { tagsOf, wrongs as wrongRating } from '../src/phone/rating'
import { find, match } from '../src/phone/router'
import { codeIn, proof } from '../src/phone/site'
import { wrongs } from '../src/phone/submission'
import { isFresh, LASTS } from '../src/phone/today'
import { inTurn } from '../src/phone/turn'
import type { Ticket } from '../src/gen/ticketing'

describe('the router', () => {
  const page = () => Promise.resolve({ default: {} })
  const pages = ['requests', 'requests/:id', 'requests/:id/do/:verb'].map(path => ({ path, title: () => path, page }))
  it('finds the page of a path, with its names', () => {
    expect(match('requests/:id', 'requests/1')).toEqual({ id: '1' })
    expect(match('requests/:id', 'requests/')).toBeUndefined()
    expect(match('requests/:id', 'others/1')).toBeUndefined()
    const found = find(pages, '/requests/a%2Fb/do/sign/', '?number=2')
    expect([found.def?.path, found.params, found.query.get('number')]).toEqual(['requests/:id/do/:verb', { id: 'a/b', verb: 'sign' }, '2'])
    expect(find(pages, 'nowhere').def).toBeUndefined()
  })
})

describe('drafts', () => {
  it('offers the newest of a form, and none that is old', () => {
    const draft = (id: string, form: string, savedAt: number) => ({ id, form, values: {}, photos: [], savedAt })
    const all = [draft('a', 'submit', 1), draft('b', 'submit', 2), draft('c', 'rate', 3)]
    expect(offered(all, 'submit', 10).map(one => one.id)).toEqual(['b', 'a'])
    expect(offered(all, 'submit', KEPT_FOR + 2)).toEqual([])
  })
  it('is nothing while nothing was typed', () => {
    expect(isTouched({ title: '' }, { title: '' }, [])).toBe(false)
    expect(isTouched({ title: 'x' }, { title: '' }, [])).toBe(true)
    expect(isTouched({}, {}, [{ id: 'p', name: '', type: '', blob: new Blob(), key: '' }])).toBe(true)
  })
})

describe('places', () => {
  const building = { latitude: 26.0815, longitude: 119.2965 }
  it('are as far apart as the server reckons', () => {
    expect(distance(building, building)).toBe(0)
    // A thousandth of a degree of latitude is 111.19 m on the server's sphere.
    expect(distance(building, { ...building, latitude: building.latitude + 0.001 })).toBeCloseTo(111.19, 1)
    expect(distance(building, { ...building, longitude: building.longitude + 0.001 })).toBeCloseTo(99.87, 1)
  })
  it('lie in a direction', () => {
    const to = (north: number, east: number) => direction(building, { latitude: building.latitude + north, longitude: building.longitude + east })
    expect([to(1, 0), to(0.001, 0.001), to(0, 1), to(-1, 0), to(0, -1)]).toEqual([0, 1, 2, 4, 6])
    const { east, north } = offset(building, { latitude: building.latitude - 0.001, longitude: building.longitude + 0.001 })
    expect([Math.round(east), Math.round(north)]).toEqual([100, -111])
  })
  it('fit the picture, which does not grow out of all measure', () => {
    expect(reach(150, undefined)).toBeCloseTo(202.5)
    expect(reach(150, 500)).toBe(600)
    expect(reach(150, 1e6)).toBe(1800)
  })
})

describe('an arrival', () => {
  const code = `DT1.${'a'.repeat(32)}.${'0'.repeat(24)}`
  const nothing = { hasBuilding: true, hasPosition: false, code: '', reason: '', photos: 0 }
  it('is proved by position, code, or a reason with a photo', () => {
    expect(proof(nothing)).toBeUndefined()
    expect(proof({ ...nothing, hasPosition: true, away: 150.4 })).toBe('GPS')
    expect(proof({ ...nothing, hasPosition: true, away: 151 })).toBeUndefined()
    expect(proof({ ...nothing, hasPosition: true, away: 151, code })).toBe('CODE')
    expect(proof({ ...nothing, hasBuilding: false, hasPosition: true })).toBe('GPS')
    expect(proof({ ...nothing, reason: '地下室没有信号' })).toBeUndefined()
    expect(proof({ ...nothing, reason: '地下室没有信号', photos: 1 })).toBe('STATED')
  })
  it('reads a code alone or within an address', () => {
    expect(codeIn(` ${code}\n`)).toBe(code)
    expect(codeIn(`https://example.cn/s?c=${code}`)).toBe(code)
    expect(codeIn('DT1.abc')).toBeUndefined()
  })
})

describe('what is submitted', () => {
  const good = { kind: 'HELP' as const, danger: false, title: '走廊漏水', description: '', building_id: '', place: '', other: false, contact_name: '', contact_phone: '' }
  it('is looked at before it is sent', () => {
    expect(wrongs(good)).toEqual({})
    expect(Object.keys(wrongs({ ...good, kind: '', title: ' ' }))).toEqual(['kind', 'title'])
    expect(Object.keys(wrongs({ ...good, title: '水' }))).toEqual(['title'])
    expect(Object.keys(wrongs({ ...good, other: true, contact_phone: '12' }))).toEqual(['contact_name', 'contact_phone'])
    expect(wrongs({ ...good, other: true, contact_name: '林', contact_phone: '0591-87550000' })).toEqual({})
  })
})

describe('a rating', () => {
  it('says why when it is bad', () => {
    expect(Object.keys(wrongRating(0, []))).toEqual(['score'])
    expect(Object.keys(wrongRating(2, []))).toEqual(['tags'])
    expect(wrongRating(2, [], true)).toEqual({})
    expect(wrongRating(3, [])).toEqual({})
    expect(tagsOf(5)).not.toContain('SLOW')
  })
})

describe('today’s list', () => {
  it('is kept for a day', () => {
    const kept = { at: 1000, tickets: [], buildings: {} }
    expect(isFresh(kept, 1000 + LASTS - 1)).toBe(true)
    expect(isFresh(kept, 1000 + LASTS)).toBe(false)
    expect(isFresh(undefined, 0)).toBe(false)
  })
})

describe('what is next', () => {
  const clock = (kind: string, unit_id: string, stopped_at?: string) => ({ kind, unit_id, provisional: false, paused: false, warns_at: [], warned: 0, ...(stopped_at ? { stopped_at } : {}) })
  const ticket = (...clocks: ReturnType<typeof clock>[]) => ({ clocks }) as unknown as Ticket
  it('is what the unit has not done yet', () => {
    const verbs = ['contact', 'checkIn', 'reportDone']
    expect(inTurn(ticket(), verbs, 'u')).toEqual(verbs)
    expect(inTurn(ticket(clock('C4', 'u', 'x')), verbs, 'u')).toEqual(['checkIn', 'reportDone', 'contact'])
    expect(inTurn(ticket(clock('C7', 'u', 'x'), clock('C7', 'other')), verbs, 'u')).toEqual(['contact', 'reportDone', 'checkIn'])
    expect(inTurn(ticket(clock('C7', 'u', 'x'), clock('C7', 'u')), verbs, 'u')).toEqual(verbs)
  })
})
