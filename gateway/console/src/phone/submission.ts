// What is submitted, and what is wrong with it before it is sent. The limits are the contract's (CreateTicketRequest).
import type { Ticket_Kind } from '../gen/ticketing'
import c from '../words/everywhere'
import { fill, words } from '../words/language'

export interface Submission {
  kind: Ticket_Kind | ''
  danger: boolean
  title: string
  description: string
  building_id: string
  place: string
  /** Somebody else is contacted. */
  other: boolean
  contact_name: string
  contact_phone: string
}

const w = words({ phone: ['请填写 5 至 20 位电话号码', 'A phone number of 5 to 20 digits, please'] })
const PHONE = /^[0-9+-]{5,20}$/

/** Everything that is wrong, by field. Pure. */
export function wrongs(said: Submission): Record<string, string> {
  const found: Record<string, string> = {}
  const length = (text: string) => [...text.trim()].length
  if (!said.kind) found.kind = c.pickOne
  if (!length(said.title)) found.title = c.required
  else if (length(said.title) < 2) found.title = fill(c.tooShort, { n: 2 })
  else if (length(said.title) > 100) found.title = fill(c.tooLong, { n: 100 })
  if (length(said.description) > 4000) found.description = fill(c.tooLong, { n: 4000 })
  if (length(said.place) > 200) found.place = fill(c.tooLong, { n: 200 })
  if (!said.other) return found
  if (!length(said.contact_name)) found.contact_name = c.required
  if (!PHONE.test(said.contact_phone)) found.contact_phone = w.phone
  return found
}
