// What a change in the stream is called, by what happened.
import { words } from '../words/language'

const EVENTS = words({
  submitted: ['提交诉求', 'submitted'],
  accepted: ['受理', 'accepted'],
  refused: ['不予受理', 'refused'],
  answered: ['直接答复', 'answered'],
  dispatched: ['派单', 'dispatched'],
  signed: ['签收', 'signed'],
  returned: ['退单', 'returned'],
  transferred: ['转办', 'handed over'],
  contacted: ['已联系诉求人', 'requester contacted'],
  visited: ['出发到场', 'set out'],
  checked_in: ['到场签到', 'arrived on site'],
  conferred: ['发起会商', 'consultation called'],
  attended: ['会商报到', 'joined the consultation'],
  opined: ['签署意见', 'opinion signed'],
  concluded: ['会商办结', 'consultation concluded'],
  task_finished: ['任务完成', 'task finished'],
  reported: ['办结上报', 'reported done'],
  signed_off: ['签发', 'signed off'],
  sent_back: ['退回重办', 'sent back'],
  called_back: ['回访', 'called back'],
  redone: ['责令重办', 'ordered done again'],
  rated: ['评价', 'rated'],
  withdrawn: ['撤回', 'withdrawn'],
  withdrawal_asked: ['申请撤回', 'asks to take back'],
  withdrawal_answered: ['答复撤回申请', 'withdrawal answered'],
  urged: ['催办', 'urged'],
  appealed: ['申诉', 'appealed'],
  asked: ['提出申请', 'asked for something'],
  endorsed: ['申请初审', 'request endorsed'],
  extended: ['已延期', 'given more time'],
  held: ['暂停计时', 'time paused'],
  resumed: ['恢复办理', 'resumed'],
  declined: ['申请未同意', 'declined'],
  excluded: ['剔除', 'excluded'],
  entered: ['挂账', 'put on the ledger'],
  supervised: ['督办', 'put under order'],
  instructed: ['领导批示', 'instructed by a leader'],
  merged: ['并单', 'merged'],
  absorbed: ['并入其他诉求', 'absorbed another'],
  split: ['拆单', 'split'],
  reopened: ['重启', 'reopened'],
  verified: ['差评核实', 'rating verified'],
  appeal_decided: ['申诉裁定', 'appeal decided'],
  rectified: ['差评整改', 'put right'],
  followed_up: ['追评', 'rated once more'],
  closed: ['差评办结', 'rating case closed'],
  reckoned: ['重算时限', 'times reckoned anew'],
  imported: ['历史数据导入', 'loaded from before'],
  breached: ['时限已过', 'a time ran out'],
  warned: ['时限预警', 'a time warns'],
})

export function eventName(event: string): string {
  const what = event.replace(/^\w+\./, '')
  return EVENTS[what as 'accepted'] ?? what
}
/** What the wall shows in red. */
export const isAlarm = (event: string) => /breached|returned|supervised/.test(event)
