import { fields } from '../words/fields'
import { words } from '../words/language'

fields({
  'CreateMeetingRequest.held_at': ['召开时间', 'Held at'],
  'CreateMeetingRequest.minutes': ['会议记录', 'Minutes'],
  'CreateMeetingRequest.absent_member_ids': ['缺席人员（其余应到人员计为到会）', 'Absent (everybody else due counts as present)'],
  'CreateMeetingRequest.kinds': ['会议类型（一次会议可计多项）', 'What it counts as (one meeting may count as several)'],
  'CreateMeetingRequest.place': ['会议地点', 'Where'],
})

export default words({
  list: ['会议记录', 'Meetings'],
  one: ['会议', 'Meeting'],
  create: ['登记会议', 'Record a meeting'],
  createHint: ['应到人数由系统按当日组织关系计算，之后的关系转接不会改变本次记录。', 'Who was due is reckoned from the memberships of the day; later transfers do not change it.'],
  none: ['还没有会议记录', 'No meetings yet'],
  kinds: ['类型', 'Kinds'],
  held: ['召开时间', 'Held'],
  place: ['地点', 'Place'],
  roll: ['到会 / 应到', 'Present / due'],
  share: ['到会率 {p}', '{p} present'],
  quorum: ['法定人数', 'Quorum'],
  quorate: ['达到半数', 'At least half'],
  notQuorate: ['未达半数', 'Less than half'],
  noRoll: ['无应到人员记录', 'Nobody due on record'],
  quorumNote: ['到会人数须达到应到有表决权党员的半数（支部工作条例第十一条），由系统计算。', 'At least half of the voting members due must be present (article 11). Reckoned by the system.'],
  minutes: ['会议记录', 'Minutes'],
  noMinutes: ['没有填写会议记录', 'No minutes were written'],
  organisation: ['党组织', 'Organisation'],
  plan: ['本期应开', 'To be held'],
  planNone: ['本期会议都已召开', 'Everything of this period was held'],
})
