// What may be done with a request, and what happened to it. A verb's RPC, who may call it and its form come from the contract.
import type { Name } from '../api/call'
import { mayCall } from '../api/session'
import { METHODS } from '../gen/methods'
import type { Ticket } from '../gen/ticketing'
import { words } from '../words/language'

export const verbs = words({
  submit: ['提交', 'Submitted'],
  accept: ['受理', 'Accept'],
  refuse: ['不予受理', 'Refuse'],
  answer: ['直接答复', 'Answer'],
  dispatch: ['派单', 'Dispatch'],
  callUp: ['一线呼叫', 'Call up'],
  merge: ['并单', 'Merge'],
  split: ['拆单', 'Split'],
  sign: ['签收', 'Sign'],
  return: ['退单', 'Return'],
  transfer: ['转办', 'Transfer'],
  contact: ['联系诉求人', 'Contact'],
  visit: ['出发到场', 'Set out'],
  checkIn: ['到场签到', 'Check in'],
  consult: ['发起会商', 'Consult'],
  attend: ['会商报到', 'Attend'],
  opine: ['签署意见', 'Sign an opinion'],
  conclude: ['会商办结', 'Conclude'],
  finishTask: ['完成任务', 'Finish a task'],
  reportDone: ['办结上报', 'Report done'],
  signOff: ['签发', 'Sign off'],
  sendBack: ['退回重办', 'Send back'],
  ask: ['申请延期等', 'Ask for time'],
  decide: ['审批', 'Decide'],
  consent: ['撤回答复', 'Answer a withdrawal'],
  callBack: ['回访', 'Call back'],
  redo: ['责令重办', 'Order a redo'],
  rate: ['评价', 'Rate'],
  withdraw: ['撤回', 'Withdraw'],
  urge: ['催办', 'Urge'],
  appeal: ['申诉', 'Appeal'],
  reopen: ['重启', 'Reopen'],
  resume: ['恢复办理', 'Resume'],
  supervise: ['督办', 'Supervise'],
  instruct: ['批示', 'Instruct'],
  verifyRating: ['核实差评', 'Verify the rating'],
  appealRating: ['差评申诉', 'Appeal the rating'],
  decideRatingAppeal: ['裁定申诉', 'Decide the appeal'],
  rectifyRating: ['反馈整改', 'Report what was put right'],
  followUpRating: ['追评', 'Rate once more'],
  inviteRating: ['邀请评价', 'Invite a rating'],
  absorb: ['并入其他诉求', 'Absorbed another'],
  breach: ['时限已过', 'A time ran out'],
  warn: ['时限预警', 'A time warns'],
  fire: ['时限到期', 'A time came'],
  reckon: ['重算时限', 'Times reckoned anew'],
})

// A verb's RPC is the one whose route ends with it.
const RPCS: Record<string, Name> = {}
for (const [name, facts] of Object.entries(METHODS)) {
  const verb = /^\/v1\/tickets\/\{ticket_id\}:(\w+)$/.exec(facts.path)?.[1]
  if (verb) RPCS[verb] = name as Name
}
export const rpcOf = (verb: string): Name | undefined => RPCS[verb]

// What comes first on the bar, where it is possible; the rest is below "more".
const FIRST = ['accept', 'dispatch', 'sign', 'contact', 'visit', 'checkIn', 'attend', 'opine', 'conclude', 'reportDone', 'signOff', 'callBack', 'redo', 'decide', 'consent', 'rate', 'verifyRating', 'rectifyRating', 'decideRatingAppeal', 'return', 'transfer', 'consult', 'ask', 'answer', 'supervise', 'instruct', 'urge']
const order = (verb: string) => (FIRST.indexOf(verb) + 1 || FIRST.length + 1)

/** Verbs that end something against somebody's wish: their button is red. */
export const HARSH = new Set(['refuse', 'return', 'sendBack', 'redo', 'withdraw'])

/** What the person may do with a request now. The server knows the rest: whose unit leads, who handled it. */
export function offered(ticket: Ticket): string[] {
  const rating = ratingVerbs(ticket)
  return [...ticket.possible.filter(verb => !RATING.has(verb)), ...rating].filter(verb => RPCS[verb] && mayCall(RPCS[verb]!)).sort((a, b) => order(a) - order(b))
}

const RATING = new Set(['verifyRating', 'appealRating', 'decideRatingAppeal', 'rectifyRating', 'followUpRating', 'inviteRating'])

// What a bad rating asks for follows from where its case stands.
function ratingVerbs({ rating_case: one, state, score }: Ticket): string[] {
  const found: string[] = []
  if (!score && ['CALLBACK', 'ARCHIVED'].includes(state)) found.push('inviteRating')
  if (!one) return found
  if (one.state === 'VERIFYING') found.push('verifyRating')
  if (one.appeal === 'PENDING') found.push('decideRatingAppeal')
  if (one.appeal === 'APPEAL_UNSPECIFIED' && one.state !== 'CLOSED') found.push('appealRating')
  if (one.state === 'RECTIFYING') found.push('rectifyRating')
  if (one.state === 'ANSWERED' && !one.follow_up) found.push('followUpRating')
  return found
}

/** Clocks by their codes. */
export const clocks = words({
  C1: ['受理', 'Accept'],
  C2: ['派单', 'Dispatch'],
  C3: ['签收', 'Sign'],
  C4: ['响应', 'Contact'],
  C5: ['办结', 'Resolve'],
  C6: ['退单窗口', 'Return window'],
  C7: ['到场', 'Arrive'],
  C8: ['会商报到', 'Join the consultation'],
  C9: ['回访', 'Call back'],
  C10: ['评价', 'Rating'],
  C11: ['督办升级', 'Next step of supervision'],
  TASK: ['任务', 'Task'],
  HOLD: ['暂停到期', 'End of the pause'],
  LEDGER: ['挂账复核', 'Ledger review'],
  B1: ['差评核实', 'Verify the rating'],
  B4: ['差评整改', 'Put right'],
  B6: ['追评', 'Further rating'],
})

export const supervision = words({ 0: ['无', 'None'], 1: ['黄牌预警', 'Yellow'], 2: ['红牌预警', 'Red'], 3: ['督办', 'Under order'], 4: ['通报', 'Named publicly'] })
