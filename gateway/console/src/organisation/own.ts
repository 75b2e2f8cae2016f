// The organisation that a page begins with: the first of the person's own part of the tree that has members.
import { me } from '../api/session'
import { loadOrganisations, organisations } from '../parts/names'
import { flat, grow } from './tree'

/** What may be chosen: the person's own part of the tree, in its order; the whole of it where no role is limited. */
export function within() {
  const nodes = flat(grow(organisations.value))
  const mine = new Set((me.value?.assignments ?? []).filter(held => held.role.startsWith('PARTY_') && held.node_id).map(held => held.node_id))
  const found = nodes.filter(node => mine.has(node.one.id)).flatMap(node => flat([node]))
  return (found.length ? found : nodes).map(node => node.one)
}

export async function own(): Promise<string> {
  await loadOrganisations()
  const offered = within()
  return (offered.find(one => one.full_members > 0) ?? offered[0])?.id ?? ''
}
