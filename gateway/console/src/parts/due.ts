// How a promised time is told. Pure: both entries and the tests use it.
import { fill, words } from '../words/language'
import { span } from './format'

const w = words({
  left: ['剩余 {t}', '{t} left'],
  over: ['超时 {t}', '{t} late'],
  met: ['按时', 'In time'],
  late: ['超时', 'Late'],
  paused: ['暂停计时', 'Paused'],
})

export interface Promised {
  dueAt?: string
  startedAt?: string
  stoppedAt?: string
  warnsAt?: string[]
  breachedAt?: string
  paused?: boolean
}

export interface Told {
  text: string
  tone: '' | 'ok' | 'warn' | 'bad'
  paused: boolean
  /** How much of the time is gone, per cent. */
  share?: number
}

export function due(clock: Promised, now: number): Told {
  if (!clock.dueAt) return { text: '—', tone: '', paused: false }
  const at = Date.parse(clock.dueAt)
  if (clock.stoppedAt) {
    const late = Date.parse(clock.stoppedAt) > at
    return { text: late ? w.late : w.met, tone: late ? 'bad' : 'ok', paused: false }
  }
  if (clock.paused) return { text: w.paused, tone: '', paused: true }
  const left = at - now
  if (left <= 0) return { text: fill(w.over, { t: span(left) }), tone: 'bad', paused: false, share: 100 }
  const began = clock.startedAt ? Date.parse(clock.startedAt) : undefined
  const share = began ? Math.max(0, Math.min(100, ((now - began) / (at - began)) * 100)) : undefined
  // Where the warnings are not said (lists), the last four hours warn, as the worklist does.
  const warns = clock.warnsAt?.length ? now >= Date.parse(clock.warnsAt[clock.warnsAt.length - 1]!) : left < 4 * 3600e3
  return { text: fill(w.left, { t: span(left) }), tone: warns ? 'warn' : '', paused: false, ...(share === undefined ? {} : { share }) }
}
