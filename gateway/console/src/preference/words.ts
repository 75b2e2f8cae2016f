import { fields } from '../words/fields'
import { words } from '../words/language'

fields({
  means: ['方式', 'Means'],
  address: ['手机号或邮箱', 'Mobile number or e-mail'],
  'ConfirmReachRequest.code': ['收到的验证码', 'The code that arrived'],
})

export default words({
  title: ['个人设置', 'My settings'],
  ways: ['接收方式', 'How you are reached'],
  waysHint: ['站内通知总会收到。绑定以下方式后，重要通知也会发到您手上。', 'The inbox gets everything. Prove a way below to be reached outside the console too.'],
  means: ['方式', 'Means'],
  address: ['地址', 'Address'],
  since: ['绑定时间', 'Since'],
  wanted: ['接收', 'Wanted'],
  notBound: ['未绑定', 'Not proved'],
  bind: ['绑定', 'Prove'],
  again: ['更换', 'Change'],
  drop: ['解绑', 'Give up'],
  dropHint: ['解绑后不再向该地址发送。', 'Nothing more is sent there.'],
  confirm: ['验证', 'Confirm'],
  confirmHint: ['验证码已发出，十分钟内有效。', 'A code was sent; it is good for ten minutes.'],
  wechatHint: ['请在微信公众号中发送：绑定 {code}（{t} 前有效），然后点“刷新”。', 'Send to the account in WeChat: 绑定 {code} (until {t}), then refresh.'],
  quiet: ['免打扰', 'Quiet hours'],
  quietHint: ['这段时间不发送，结束后补发；危及安全和紧急的通知不受限制。起止相同表示不设免打扰。', 'Nothing is sent then; it comes afterwards. Danger and emergencies come at once. The same time twice: never quiet.'],
  from: ['从', 'From'],
  to: ['到', 'To'],
  digest: ['汇总', 'Digest'],
  atOnce: ['逐条即时', 'Each at once'],
  digestAt: ['每日汇总时间', 'The daily one comes at'],
  muted: ['只留在站内的通知', 'Only in the inbox'],
  mutedHint: ['勾选的类别不再发到手机和邮箱。', 'What is ticked is not sent outside.'],
  ticket: ['诉求进展', 'Requests'],
  clock: ['时限预警与超时', 'Times that warn or ran out'],
  rating: ['评价', 'Ratings'],
  service_day: ['企业服务日', 'Service days'],
  discussion: ['一企一议', 'Discussions'],
  direct_call: ['直通车', 'Direct calls'],
  obligation: ['党建应办事项', 'Party obligations'],
})
