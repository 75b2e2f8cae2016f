// What the contract says of roles, read from it: names, grants, how far one reaches, and which are never held together.
import { getOption, type DescEnum } from '@bufbuild/protobuf'
import { registry } from '../api/contract'
import { tenant } from '../api/session'
import { english } from '../words/language'

export type Reach = 'TENANT' | 'NODE' | 'ENTERPRISE' | 'SELF'
const REACHES: Reach[] = ['TENANT', 'NODE', 'ENTERPRISE', 'SELF']

export interface Rule {
  role: string
  name: () => string
  reach: Reach
  grants: string[]
  /** Roles of one group are never held by one person at once (三员分立). */
  exclusive: string
}

/** Code of the house of those who run the platform. */
const PLATFORM = '000000'

interface Said {
  zh: string
  en: string
  grants: string[]
  reach: number
  exclusive: string
  platform: boolean
}

let loaded: Promise<Rule[]> | undefined

/** Roles that are held here: the platform's own are no district's. */
export function rules(): Promise<Rule[]> {
  loaded ??= registry().then(contract => {
    const option = contract.getExtension('drumtower.options.v1.role')!
    const roles = contract.getEnum('drumtower.options.v1.Role') as DescEnum
    const said = roles.values.filter(value => value.number).map(value => ({ role: value.name, ...(getOption(value, option) as Said) }))
    return said
      .filter(rule => !rule.platform || tenant.value?.code === PLATFORM)
      .map(({ role, zh, en, grants, reach, exclusive }): Rule => ({ role, name: () => (english() ? en : zh), reach: REACHES[reach - 1]!, grants, exclusive }))
  })
  loaded.catch(() => (loaded = undefined))
  return loaded
}
