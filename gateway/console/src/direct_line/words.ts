import { fields } from '../words/fields'
import { words } from '../words/language'

fields({
  contact_id: ['联系人（空则停用）', 'Contact (empty ends the line)'],
  'SetDirectLineRequest.enterprise_id': ['企业（与片区二选一）', 'Company (or a zone)'],
  'SetDirectLineRequest.zone_id': ['片区（与企业二选一）', 'Zone (or a company)'],
  'OpenDirectCallRequest.text': ['想问什么', 'What you ask'],
  'AnswerDirectCallRequest.text': ['答复', 'Answer'],
  'ConvertDirectCallRequest.title': ['标题（空则取来问开头）', 'Title (empty: the beginning of what was asked)'],
  'CloseDirectCallRequest.text': ['说明', 'Words'],
})

export default words({
  calls: ['直通车来问', 'Direct calls'],
  one: ['直通车来问', 'Direct call'],
  lines: ['直通车联系人', 'Direct lines'],
  none: ['没有来问', 'No calls'],
  noLines: ['还没有指定联系人', 'No lines yet'],
  text: ['来问', 'Asked'],
  company: ['企业', 'Company'],
  contact: ['联系人', 'Contact'],
  unit: ['单位', 'Unit'],
  state: ['状态', 'State'],
  due: ['答复时限', 'Answer by'],
  opened: ['来问时间', 'Asked'],
  ask: ['提问', 'Ask'],
  answer: ['答复', 'Answer'],
  convert: ['转为诉求', 'Make a request'],
  convertHint: ['以来问人名义提交诉求，按诉求流程受理。', 'Submitted in the name of who asked; it waits to be accepted like any other.'],
  close: ['关闭', 'Close'],
  answered: ['{who} {t} 答复', 'Answered by {who}, {t}'],
  ticket: ['已转诉求', 'Became the request'],
  late: ['逾期答复', 'Answered late'],
  unitCalled: ['联系人已离岗，由单位答复', 'The contact has left: the unit answers'],
  process: ['过程', 'What happened'],
  set: ['指定联系人', 'Name a contact'],
  change: ['更换', 'Change'],
  whose: ['企业或片区', 'Company or zone'],
  zone: ['片区', 'Zone'],
  since: ['自', 'Since'],
  ended: ['已停用', 'Ended'],
})
