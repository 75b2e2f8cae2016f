// What a date is: the district's layer over the national one over the week, as the service lays them.
import national from '../../../../services/runtime/data/cn_calendar.json'
import type { Contents } from './contents'

export const WEEK = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
/** Office hours where a district says none. */
export const USUAL = ['08:30-12:00', '15:00-18:00']
export const FIRST_YEAR = 2019
export const LAST_YEAR = 2035

export type What = 'workday' | 'weekend' | 'holiday' | 'makeup' | 'ownHours'
export interface Day {
  date: string
  number: number
  what: What
  /** The district says so, not the nation. */
  own: boolean
}
export interface Month {
  number: number
  /** Empty cells before the first, a week beginning on Monday. */
  blank: number
  days: Day[]
  workdays: number
}

type Calendar = Contents['CALENDAR']

const offs = new Set(Object.values(national).flatMap(year => year.off))
const makeups = new Set(Object.values(national).flatMap(year => year.makeup))
const published = new Set(Object.keys(national).map(Number))

export const isCovered = (calendar: Calendar, year: number) => published.has(year) || Boolean(calendar.covers?.includes(year))
export const isNational = (year: number) => published.has(year)

/** A year by months. */
export function year(calendar: Calendar, of: number): Month[] {
  const own = new Map((calendar.days ?? []).map(one => [one.date, one.day]))
  const isOpen = WEEK.map((name, index) => (calendar.week?.[name] ? calendar.week[name]!.length > 0 : index < 5))
  return Array.from({ length: 12 }, (_, index): Month => {
    const first = new Date(Date.UTC(of, index, 1))
    const length = new Date(Date.UTC(of, index + 1, 0)).getUTCDate()
    const blank = (first.getUTCDay() + 6) % 7
    const days = Array.from({ length }, (_, place): Day => {
      const date = `${of}-${String(index + 1).padStart(2, '0')}-${String(place + 1).padStart(2, '0')}`
      const said = own.get(date) ?? (offs.has(date) ? 'off' : makeups.has(date) ? 'work' : undefined)
      const usual = isOpen[(blank + place) % 7] ? 'workday' : 'weekend'
      const what: What = said === undefined ? usual : said === 'off' ? 'holiday' : said === 'work' ? (usual === 'workday' ? 'workday' : 'makeup') : 'ownHours'
      return { date, number: place + 1, what, own: own.has(date) }
    })
    return { number: index + 1, blank, days, workdays: days.filter(day => ['workday', 'makeup', 'ownHours'].includes(day.what)).length }
  })
}

/** The calendar with a date moved on: off, work, as it was before. */
export function turned(calendar: Calendar, date: string): Calendar {
  const before = calendar.days?.find(one => one.date === date)?.day
  const rest = (calendar.days ?? []).filter(one => one.date !== date)
  const next = before === undefined ? 'off' : before === 'off' ? 'work' : undefined
  const days = next ? [...rest, { date, day: next } as const] : rest
  return { ...calendar, days: days.sort((a, b) => a.date.localeCompare(b.date)) }
}
