import { words } from '../words/language'

export default words({
  list: ['各区', 'Districts'],
  one: ['区', 'District'],
  search: ['名称或代码', 'Name or code'],
  name: ['名称', 'Name'],
  code: ['代码', 'Code'],
  host: ['域名', 'Host'],
  state: ['状态', 'State'],
  since: ['自', 'Since'],
  created: ['开通', 'Onboarded'],
  reason: ['原因', 'Why'],
  number: ['编号', 'Number'],
  none: ['还没有区', 'No districts yet'],
  base: ['基本信息', 'Basics'],
  set: ['变更状态', 'Change the state'],
  setHint: ['只读：可查看，不能写入；停用：不能登录。二者期间时限暂停提醒，不对外发送，恢复后继续。十秒内生效，双方审计日志均有记载。', 'Read only: people see and change nothing. Shut: nobody comes in. Meanwhile clocks do not speak and nothing goes out; afterwards both go on. It holds within ten seconds, and both logs have it.'],
  create: ['新区由平台程序开通：drumtower tenant create', 'A new district is onboarded by the program: drumtower tenant create'],
})
