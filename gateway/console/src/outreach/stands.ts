// Which units a person stands for. The server decides; this only leaves out what would be refused.
import { me } from '../api/session'
import { ROLES } from '../gen/roles'
import { units } from '../parts/names'

const WHOLE_DISTRICT = 1

function isBelow(unit: string, node: string): boolean {
  for (let at: string | undefined = unit, steps = 0; at && steps < 20; steps++) {
    if (at === node) return true
    at = units.value.find(one => one.id === at)?.parent_id
  }
  return false
}

/** Whether the person holds a permission for a unit: for the whole district, or for a unit at or above it. */
export function standsFor(unit: string, permission: string): boolean {
  return (me.value?.assignments ?? []).some(held => {
    const rule = ROLES[held.role]
    return rule?.grants.includes(permission) && (rule.reach === WHOLE_DISTRICT || isBelow(unit, held.node_id))
  })
}

/** Units that the person holds a permission for, to choose from. */
export function ownUnits(permission: string): { value: string; label: string }[] {
  return units.value.filter(unit => unit.active && standsFor(unit.id, permission)).map(unit => ({ value: unit.id, label: unit.name }))
}
