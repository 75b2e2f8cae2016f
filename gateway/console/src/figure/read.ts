// Figures as people read them: periods in days of China, groups by name, and a target beside a rate.
import { call } from '../api/call'
import { now } from '../api/time'
import type { Figure, FigureDefinition, FigureGroup } from '../gen/ticketing'
import { day, span } from '../parts/format'
import { buildings, unitName, zones } from '../parts/names'
import { name } from '../words/enums'
import { english } from '../words/language'
import w from './words'

/** The day so many days before today, YYYY-MM-DD. */
export const daysAgo = (days: number) => day(now() - days * 86_400_000)

let defined: Promise<FigureDefinition[]> | undefined
/** The registry of figures, loaded once. */
export function definitions(): Promise<FigureDefinition[]> {
  defined ??= call('FigureService.ListFigureDefinitions', {}).then(answer => answer.definitions)
  defined.catch(() => (defined = undefined))
  return defined
}

export const title = (one: FigureDefinition) => (english() ? one.name_en : one.name_zh)
/** `中文 / English`: one side of it. */
export const side = (text: string) => text.split(/\s?\/ /)[english() ? 1 : 0] ?? text

export function groupName(by: FigureGroup, group: string): string {
  if (!group) return by === 'FIGURE_GROUP_UNSPECIFIED' ? w.district : w.noPlace
  if (by === 'UNIT') return unitName(group)
  if (by === 'KIND') return name('Ticket.Kind', group)
  if (by === 'ZONE') return zones.value.find(one => one.id === group)?.name ?? '…'
  return buildings.value.find(one => one.id === group)?.name ?? '…'
}

export const shown = (figure: Figure, isCount: boolean) => (isCount ? figure.numerator : figure.percent ? `${figure.percent}%` : '—')
export const lasted = (seconds: string) => span(Number(seconds) * 1000)

/** Whether a rate is where the district wants it; unknown without a target or where nothing is counted. */
export function meets(figure: Figure, target: number | undefined, lessIsBetter: boolean): boolean | undefined {
  if (target === undefined || !figure.percent) return undefined
  return lessIsBetter ? Number(figure.percent) <= target : Number(figure.percent) >= target
}
