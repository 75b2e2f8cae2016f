// What versions of settings hold, as the service reads them, and the draft of a new one. A draft stays in this browser until it is published.
import { me, tenant } from '../api/session'
import type { Setting_Kind } from '../gen/ticketing'

export type Kind = Exclude<Setting_Kind, 'KIND_UNSPECIFIED'>
export const KINDS: Kind[] = ['DISPATCH_RULES', 'CLOCK_POLICY', 'CALENDAR', 'MACHINE', 'FIGURE_WEIGHTS']

export interface Rule {
  name: string
  clause: string
  words?: string[]
  kinds?: string[]
  urgencies?: string[]
  zone_ids?: string[]
  building_ids?: string[]
  lead_unit_id: string
  support_unit_ids?: string[]
  auto?: boolean
}
export interface Promise_ {
  clock: string
  kind?: string
  urgency?: string
  danger?: boolean
  round?: number
  unit: 'minutes' | 'days' | 'work_minutes' | 'work_days'
  count: number
  warn?: number[]
  source: string
}
export interface Transition {
  verb: string
  from: string[]
  to?: string[]
}
export type Limits = Record<string, number | Record<string, number>>
export type Hours = string[]
export type DayRule = 'off' | 'work' | { hours: Hours }

export interface Contents {
  DISPATCH_RULES: { rules: Rule[] }
  CLOCK_POLICY: { promises: Promise_[] }
  CALENDAR: { name: string; source?: string; week?: Record<string, Hours>; end_of_day?: 'close' | 'midnight'; covers?: number[]; days?: { date: string; day: DayRule }[] }
  MACHINE: { transitions?: Transition[]; without?: { verb: string; from: string[] }[]; limits?: Limits }
  FIGURE_WEIGHTS: { weights: Record<string, number>; targets?: Record<string, number> }
}

/** What a first version begins with. */
export function blank(kind: Kind): string {
  const begun: Contents = {
    DISPATCH_RULES: { rules: [] },
    CLOCK_POLICY: { promises: [] },
    CALENDAR: { name: tenant.value?.name ?? '' },
    MACHINE: { without: [], limits: {} },
    FIGURE_WEIGHTS: { weights: {} },
  }
  return pretty(JSON.stringify(begun[kind]))
}

/** Text as people read it; text that is no JSON stays as it is. */
export function pretty(content: string): string {
  try {
    return JSON.stringify(JSON.parse(content), null, 2)
  } catch {
    return content
  }
}

export function parsed<K extends Kind>(_: K, content: string): Contents[K] | undefined {
  try {
    return JSON.parse(content) as Contents[K]
  } catch {
    return undefined
  }
}

const slot = (kind: Kind) => `draft:${tenant.value?.code}:${me.value?.login}:${kind}`
export const keptDraft = (kind: Kind) => localStorage.getItem(slot(kind)) ?? ''
export function keepDraft(kind: Kind, content: string) {
  if (content) localStorage.setItem(slot(kind), content)
  else localStorage.removeItem(slot(kind))
}
