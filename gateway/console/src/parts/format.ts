// Times, days and numbers as people here read them: Asia/Shanghai, whatever the device is set to.
import { english } from '../words/language'

const zone = 'Asia/Shanghai'
const parts = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

function split(at: string | number | Date) {
  return Object.fromEntries(parts.formatToParts(new Date(at)).map(part => [part.type, part.value])) as Record<string, string>
}

/** `2026-11-24 09:30`, or empty. */
export function time(at: string | number | undefined): string {
  if (!at) return ''
  const p = split(at)
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}`
}

/** `11-24 09:30`: the year is said where it is another. */
export function shortTime(at: string | number | undefined): string {
  const text = time(at)
  return text.startsWith(String(new Date().getFullYear())) ? text.slice(5) : text
}

/** `2026-11-24`. */
export const day = (at: string | number | undefined) => time(at).slice(0, 10)

/** Days from one day to another, both `2026-11-24`; negative when it lies before. */
export const daysUntil = (on: string, from: string) => Math.round((Date.parse(on) - Date.parse(from)) / 86_400_000)

/** The day before: the contract's ends are the days after the last, people name the last. */
export const dayBefore = (on: string) => new Date(Date.parse(on) - 86_400_000).toISOString().slice(0, 10)

/** A number with its thousands apart. */
export const amount = (value: number, digits = 0) => value.toLocaleString('en-US', { maximumFractionDigits: digits })

/** What a span of time is called, with its two largest units. */
export function span(milliseconds: number): string {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000)
  const units: [number, string, string][] = [[86400, '天', 'd'], [3600, '小时', 'h'], [60, '分', 'min'], [1, '秒', 's']]
  const first = units.findIndex(([size]) => seconds >= size)
  const from = first < 0 ? 3 : first
  return units.slice(from, from + 2).map(([size, zh, en], index) => {
    const value = index === 0 ? Math.floor(seconds / size) : Math.floor((seconds % units[from]![0]) / size)
    return english() ? `${value} ${en}` : `${value}${zh}`
  }).join(english() ? ' ' : '')
}

/** The instant of a local time as `<input type=datetime-local>` writes it, always Beijing time (it knows no summer time). */
export const instant = (local: string) => (local ? new Date(`${local}:00+08:00`).toISOString() : '')
/** And back. */
export const local = (at: string | undefined) => (at ? time(at).replace(' ', 'T') : '')

export const percent = (numerator: number, denominator: number) => (denominator ? `${(Math.round((numerator / denominator) * 1000) / 10).toFixed(1)}%` : '—')

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1048576) return `${(bytes / 1024).toFixed(0)} KiB`
  return `${(bytes / 1048576).toFixed(1)} MiB`
}
