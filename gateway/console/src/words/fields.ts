// What the fields of requests are called in forms. `Message.field` wins over `field`. A field that a form shows and that has no name here
// fails tests/words.test.ts.
import { english } from './language'

type Pair = readonly [zh: string, en: string]

const FIELDS: Record<string, Pair> = {
  text: ['说明', 'Words'],
  reason: ['原因', 'Reason'],
  state: ['状态', 'State'],
  title: ['标题', 'Title'],
  description: ['问题描述', 'The problem'],
  kind: ['类别', 'Kind'],
  urgency: ['紧急程度', 'Urgency'],
  name: ['名称', 'Name'],
  code: ['编码', 'Code'],
  place: ['地点', 'Place'],
  danger: ['危及生命财产安全', 'Danger to life or property'],
  source: ['来源', 'Came by'],
  contact_name: ['联系人', 'Contact'],
  contact_phone: ['联系电话', 'Phone'],
  enterprise_id: ['企业', 'Company'],
  building_id: ['楼宇', 'Building'],
  zone_id: ['片区', 'Zone'],
  unit_id: ['单位', 'Unit'],
  lead_unit_id: ['主办单位', 'Lead unit'],
  support_unit_ids: ['协办单位', 'Support units'],
  handler_id: ['经办人', 'Handler'],
  attachment_ids: ['附件', 'Attachments'],
  suggested_unit_id: ['建议改派单位', 'Unit suggested instead'],
  clause: ['依据（法律或职责条款）', 'Clause that speaks against this unit'],
  planned_at: ['计划到场时间', 'Planned for'],
  latitude: ['纬度', 'Latitude'],
  longitude: ['经度', 'Longitude'],
  override_reason: ['无法定位的原因', 'Why the place cannot be proved'],
  building_code: ['楼宇签到码', 'Code of the building’s sign'],
  photo_id: ['现场照片', 'Photo of the site'],
  result: ['办理结果', 'Result'],
  waive_support: ['协办未反馈也办结', 'Close without the support units that did not report'],
  outcome: ['回访结果', 'What the requester said'],
  score: ['评分', 'Score'],
  tags: ['评价标签', 'Why'],
  matter: ['申请事项', 'What is asked for'],
  count: ['延长（天；按分钟计的时限为分钟）', 'How much more (days; minutes where time is counted so)'],
  hold_reason: ['暂停原因', 'Why it pauses'],
  exclusion_reason: ['剔除原因', 'Why it is excluded'],
  owner_unit_id: ['挂账责任单位', 'Unit that keeps it'],
  condition: ['解除条件', 'What it waits for'],
  review_on: ['复核日期', 'Looked at again on'],
  granted: ['同意', 'Granted'],
  agreed: ['同意撤回', 'Agreed'],
  level: ['督办级别', 'Level'],
  reply_due: ['回复期限', 'Reply until'],
  due_at: ['完成期限', 'Due'],
  unit_ids: ['参加单位', 'Units called'],
  meets_at: ['会商时间', 'When'],
  stance: ['意见', 'Stance'],
  minutes: ['会议纪要', 'Minutes'],
  decisions: ['决定事项', 'Decisions'],
  number: ['编号', 'Number'],
  founded: ['差评属实', 'There is ground for it'],
  upheld: ['申诉成立', 'The appeal is right'],
  into_id: ['并入诉求', 'Merge into'],
  user_id: ['人员', 'Person'],
  node_id: ['管辖范围', 'What it reaches'],
  month: ['月份', 'Month'],
  parts: ['拆成', 'Parts'],
  'ReturnTicketRequest.attachment_ids': ['证明材料', 'What shows it'],
  'ContactTicketRequest.text': ['联系情况', 'What was said'],
  'RefuseTicketRequest.text': ['答复诉求人', 'What the requester is told'],
  'AnswerTicketRequest.text': ['答复内容', 'Answer'],
  'ReportDoneTicketRequest.text': ['办理情况（告知诉求人）', 'What was done (told to the requester)'],
  'CallUpTicketRequest.text': ['本级已做的处置', 'What the sub-centre tried itself'],
  'InstructTicketRequest.text': ['批示', 'Instruction'],
  'OpineTicketRequest.text': ['意见内容', 'Opinion'],
  'RectifyRatingRequest.text': ['整改情况（告知评价人）', 'What was put right (told to the rater)'],
  'AppealRatingRequest.text': ['申诉理由和证据', 'Evidence'],
  'ConsultTicketRequest.text': ['会商议题', 'What about'],
  'DispatchTicketRequest.text': ['派单说明', 'Words to the units'],
}

/** Adds the fields of a room's forms. */
export function fields(more: Record<string, Pair>) {
  Object.assign(FIELDS, more)
}

export function fieldName(message: string, field: string): string | undefined {
  return (FIELDS[`${message}.${field}`] ?? FIELDS[field])?.[english() ? 1 : 0]
}
