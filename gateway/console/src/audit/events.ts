// What the events of the logs are called: what it happened to, and what happened.
import { english } from '../words/language'

type Pair = readonly [zh: string, en: string]

const NOUNS: Record<string, Pair> = {
  access: ['访问', 'Access'], attachment: ['附件', 'Attachment'], audit: ['审计', 'Audit'], brand: ['品牌', 'Brand'], building: ['楼宇', 'Building'], calendar: ['日历', 'Calendar'], channel: ['渠道', 'Channel'],
  clock: ['时限', 'Clock'], direct_call: ['直通车来问', 'Direct call'], direct_line: ['直通车', 'Direct line'], discussion: ['一企一议', 'Discussion'], enterprise: ['企业', 'Company'], export: ['导出', 'Export'],
  item: ['事项', 'Item'], meeting: ['会议', 'Meeting'], member: ['党员', 'Member'], obligation: ['应办事项', 'Obligation'], organisation: ['党组织', 'Organisation'], preference: ['通知设置', 'Wishes'],
  presence: ['入驻', 'Presence'], qualification: ['资质', 'Qualification'], rating: ['评价', 'Rating'], reach: ['接收方式', 'Reach'], report: ['月报', 'Report'], root_text: ['校验文件', 'Root text'],
  sender: ['消息发送', 'Sender'], service_day: ['服务日', 'Service day'], session: ['会话', 'Session'], setting: ['规则', 'Setting'], term: ['届期', 'Term'], ticket: ['诉求', 'Request'], unit: ['单位', 'Unit'],
  user: ['人员', 'Person'], window: ['窗口', 'Window'], zone: ['片区', 'Zone'],
}

const VERBS: Record<string, Pair> = {
  absorbed: ['并入他单', 'absorbed another'], accepted: ['受理', 'accepted'], added: ['添加', 'added'], answered: ['答复', 'answered'], appeal_decided: ['裁定申诉', 'appeal decided'], appealed: ['申诉', 'appealed'],
  applied: ['生效', 'applied'], asked: ['申请', 'asked'], attended: ['报到', 'attended'], begun: ['开始', 'begun'], breached: ['超时', 'ran out'], called_back: ['回访', 'called back'], cancelled: ['取消', 'cancelled'],
  changed: ['变更', 'changed'], checked_in: ['到场签到', 'checked in'], closed: ['关闭', 'closed'], code: ['发送验证码', 'code sent'], concluded: ['形成纪要', 'concluded'], conferred: ['会商', 'conferred'], contacted: ['联系', 'contacted'],
  converted: ['转诉求', 'became a request'], created: ['新建', 'created'], declined: ['未同意', 'declined'], deleted: ['删除', 'deleted'], delivery_retried: ['重新发送', 'sent again'], demand_taken: ['现场收件', 'demand taken'],
  denied: ['被拒绝', 'denied'], disabled: ['停用', 'shut out'], dispatched: ['派单', 'dispatched'], dropped: ['解绑', 'dropped'], ended: ['结束', 'ended'], endorsed: ['初审', 'endorsed'], entered: ['进入', 'entered'],
  escalated: ['升级', 'escalated'], excluded: ['剔除', 'excluded'], expired: ['过期', 'expired'], extended: ['延期', 'extended'], failed: ['失败', 'failed'], fetched: ['下载', 'fetched'], finished: ['完成', 'finished'],
  followed_up: ['追评', 'rated once more'], fulfilled: ['完成', 'fulfilled'], held: ['暂停计时', 'held'], import_finished: ['导入完成', 'import finished'], imported: ['导入', 'imported'], instructed: ['批示', 'instructed'],
  invited: ['邀请', 'invited'], merged: ['并单', 'merged'], moved: ['移动', 'moved'], opened: ['开启', 'opened'], opined: ['签署意见', 'opined'], overdue: ['逾期', 'overdue'], proved: ['验证', 'proved'],
  published: ['发布', 'published'], rated: ['评分', 'rated'], reckoned: ['重算', 'reckoned'], rectified: ['整改', 'rectified'], redone: ['重办', 'redone'], refused: ['拒绝', 'refused'], reminded: ['提醒', 'reminded'],
  reopened: ['重启', 'reopened'], replied: ['回执', 'replied'], reported: ['办结上报', 'reported done'], resumed: ['恢复', 'resumed'], returned: ['退单', 'returned'], revoked: ['撤销', 'revoked'], roles_changed: ['授权变更', 'roles changed'],
  secret_rotated: ['更换密钥', 'secret rotated'], sent_back: ['退回', 'sent back'], set: ['设置', 'set'], signed: ['签收', 'signed'], signed_off: ['签发', 'signed off'], split: ['拆单', 'split'], started: ['开始', 'started'],
  submitted: ['提交', 'submitted'], superseded: ['被替代', 'superseded'], supervised: ['督办', 'supervised'], task_confirmed: ['任务确认', 'task confirmed'], task_finished: ['任务完成', 'task finished'], task_sent_back: ['任务退回', 'task sent back'],
  transferred: ['转出', 'transferred'], unmasked: ['查看明文', 'unmasked'], updated: ['更新', 'updated'], urged: ['催办', 'urged'], verified: ['核实', 'verified'], visited: ['出发到场', 'visited'], waived: ['免除', 'waived'],
  warned: ['预警', 'warned'], withdrawal_answered: ['撤回答复', 'withdrawal answered'], withdrawal_asked: ['申请撤回', 'withdrawal asked'], withdrawn: ['撤回', 'withdrawn'],
}

/** An event's name; its type where one of the two has none. */
export function eventName(type: string): string {
  const [noun, verb] = type.split('.') as [string, string]
  const [what, happened] = [NOUNS[noun], VERBS[verb]]
  if (!what || !happened) return type
  return english() ? `${what[1]} ${happened[1]}` : `${what[0]}${happened[0]}`
}
