// What a verb's form lets one choose from, where the request says it and the contract does not.
import type { Ticket } from '../gen/ticketing'
import type { Choices } from '../parts/form'
import { unitName } from '../parts/names'
import { name } from '../words/enums'

/** By the path of the field. Units are named once they are loaded. */
export function choicesOf(ticket: Ticket, verb: string): Choices {
  if (verb === 'conclude') {
    const open = ticket.consultations.find(one => !one.concluded_at)
    const units = open ? [open.convener_unit_id, ...open.called.map(one => one.unit_id)] : []
    return units.length ? { 'decisions.unit_id': [...new Set(units)].map(id => ({ value: id, label: unitName(id) })) } : {}
  }
  if (verb === 'finishTask') return numbered(ticket.tasks.filter(one => !one.done_at), one => one.text)
  if (verb === 'decide') return numbered(ticket.asks.filter(one => ['ASKED', 'ENDORSED'].includes(one.state)), one => name('Ask.Matter', one.matter))
  return {}
}

const numbered = <T extends { number: number }>(all: T[], label: (one: T) => string): Choices => (all.length ? { number: all.map(one => ({ value: String(one.number), label: label(one) })) } : {})
