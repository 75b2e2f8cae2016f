// Names for ids: units are loaded whole and once, people and places one by one when they are shown, each once a page.
import { reactive, shallowRef } from 'vue'
import { call, type Name, type Out } from '../api/call'
import { mayCall } from '../api/session'
import type { Unit } from '../gen/identity'
import type { Building, Zone } from '../gen/enterprise'
import type { Organisation } from '../gen/party'

export const units = shallowRef<Unit[]>([])
let asked: Promise<unknown> | undefined

/** Units of the district, loaded once. */
export function loadUnits(): Promise<unknown> {
  if (!mayCall('UnitService.ListUnits')) return Promise.resolve()
  asked ??= call('UnitService.ListUnits').then(answer => (units.value = answer.units)).catch(() => (asked = undefined))
  return asked
}
export function unitName(id: string | undefined): string {
  if (!id) return ''
  if (!mayCall('UnitService.ListUnits')) return ''
  void loadUnits()
  return units.value.find(unit => unit.id === id)?.name ?? '…'
}

const names = reactive(new Map<string, string>())

function once<N extends Name>(rpc: N, request: Record<string, string>, id: string, read: (answer: Out<N>) => string): string {
  const known = names.get(id)
  if (known !== undefined) return known
  if (!mayCall(rpc)) return ''
  names.set(id, '…')
  call(rpc, request as never).then(answer => names.set(id, read(answer)), () => names.set(id, ''))
  return '…'
}

export const userName = (id: string | undefined) => (id ? once('UserService.GetUser', { user_id: id }, id, user => user.name) : '')
export const enterpriseName = (id: string | undefined) => (id ? once('EnterpriseService.GetEnterprise', { enterprise_id: id }, id, one => one.name) : '')

export const buildings = shallowRef<Building[]>([])
export const zones = shallowRef<Zone[]>([])
let placed: Promise<unknown> | undefined

/** Zones and buildings of the district, loaded once; anew after a change. */
export function loadPlaces(anew = false): Promise<unknown> {
  if (anew) placed = undefined
  placed ??= Promise.all([
    call('ZoneService.ListZones', {}).then(answer => (zones.value = answer.zones)),
    pages(token => call('BuildingService.ListBuildings', { page_size: 200, page_token: token }).then(answer => [answer.buildings, answer.next_page_token] as const)).then(all => (buildings.value = all)),
  ]).catch(() => (placed = undefined))
  return placed
}
export function buildingName(id: string | undefined): string {
  if (!id) return ''
  void loadPlaces()
  return buildings.value.find(one => one.id === id)?.name ?? '…'
}
export const zoneName = (id: string | undefined) => (id ? (void loadPlaces(), zones.value.find(one => one.id === id)?.name ?? '…') : '')

export const organisations = shallowRef<Organisation[]>([])
let founded: Promise<unknown> | undefined

/** The tree of party organisations of today, parents before children, loaded once; anew after a change. */
export function loadOrganisations(anew = false): Promise<unknown> {
  if (!mayCall('OrganisationService.ListOrganisations')) return Promise.resolve()
  if (anew) founded = undefined
  founded ??= call('OrganisationService.ListOrganisations', {}).then(answer => (organisations.value = answer.organisations)).catch(() => (founded = undefined))
  return founded
}
export const organisationName = (id: string | undefined) => (id ? (void loadOrganisations(), organisations.value.find(one => one.id === id)?.name ?? '…') : '')
/** A member's name as it is shown to others: masked. */
export const memberName = (id: string | undefined) => (id ? once('MemberService.GetMember', { member_id: id }, id, one => one.name) : '')

/** All rows of a list that is known to be short (units, places), page by page. */
export async function pages<T>(load: (token: string) => Promise<readonly [T[], string]>, most = 2000): Promise<T[]> {
  const all: T[] = []
  for (let token = ''; ; ) {
    const [rows, next] = await load(token)
    all.push(...rows)
    if (!next || all.length >= most) return all
    token = next
  }
}
