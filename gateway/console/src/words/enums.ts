// What the contract's enumerations are called. The test tests/words.test.ts goes through the contract and fails for a value without a name.
import { ROLES } from '../gen/roles'
import { english } from './language'

type Names = Record<string, readonly [zh: string, en: string]>

export const ENUMS: Record<string, Names> = {
  'Ticket.State': {
    SUBMITTED: ['待受理', 'To accept'], ACCEPTED: ['待派单', 'To dispatch'], DISPATCHED: ['待签收', 'To sign'], HANDLING: ['办理中', 'In hand'],
    ON_SITE: ['现场处置', 'On site'], CONSULTING: ['会商中', 'Consulting'], REVIEW: ['待审核', 'To sign off'], CALLBACK: ['待回访', 'To call back'], REDO: ['重办', 'Redo'],
    ARCHIVED: ['已归档', 'Archived'], REFUSED: ['不予受理', 'Refused'], WITHDRAWN: ['已撤回', 'Withdrawn'], MERGED: ['已并单', 'Merged'], LEDGER: ['挂账', 'On the ledger'],
  },
  'Ticket.Kind': { CONSULT: ['咨询', 'Question'], HELP: ['求助', 'Help'], COMPLAINT: ['投诉', 'Complaint'], SUGGESTION: ['建议', 'Suggestion'] },
  'Ticket.Urgency': { EMERGENCY: ['紧急', 'Emergency'], LIVELIHOOD: ['民生', 'Livelihood'], NORMAL: ['一般', 'Normal'], HARD: ['疑难', 'Hard'] },
  'Ticket.Result': {
    RESOLVED: ['已解决', 'Resolved'], PARTLY: ['部分解决', 'Partly resolved'], POLICY: ['政策不允许(已解释)', 'Not allowed by policy (explained)'],
    UNREASONABLE: ['诉求不合理', 'Unreasonable'], UNREACHABLE: ['无法联系', 'Not reachable'],
  },
  'Ticket.Source': {
    WEB: ['网页、手机', 'Web, phone'], PHONE: ['电话', 'Call'], WINDOW: ['窗口', 'Window'], PROXY: ['代办', 'For a company'], WECHAT: ['微信', 'WeChat'],
    HOTLINE: ['12345 热线', '12345 hotline'], VISION: ['视频感知', 'Camera'], OPEN311: ['Open311', 'Open311'], SERVICE_DAY: ['企业服务日', 'Service day'], DIRECT_LINE: ['直通车', 'Direct line'],
  },
  'Export.What': { TICKETS: ['诉求', 'Requests'] },
  'Export.State': { QUEUED: ['排队中', 'Queued'], RUNNING: ['导出中', 'Running'], READY: ['可下载', 'Ready'], FAILED: ['失败', 'Failed'], EXPIRED: ['已过期', 'Expired'], CANCELLED: ['已取消', 'Cancelled'] },
  'Assignment.Kind': { LEAD: ['主办', 'Lead'], SUPPORT: ['协办', 'Support'] },
  'Assignment.State': { TO_SIGN: ['待签收', 'To sign'], SIGNED: ['已签收', 'Signed'], ARRIVED: ['已到场', 'Arrived'], REPORTED: ['已反馈', 'Reported'], CLOSED: ['已结束', 'Closed'] },
  'RefuseTicketRequest.Reason': {
    COURT: ['已进入诉讼、仲裁', 'Before a court or arbitrator'], PETITION: ['属信访事项', 'A petition matter'], SECRET: ['涉及秘密', 'Touches a secret'],
    EMERGENCY_NUMBER: ['应拨 110、119、120、122', 'For 110, 119, 120 or 122'], OUT_OF_SCOPE: ['不属本区职权', 'Outside the district’s powers'], DUPLICATE: ['重复提交', 'Said already'],
  },
  'CallBackTicketRequest.Outcome': { SATISFIED: ['已解决且满意', 'Solved and satisfied'], UNSOLVED: ['未解决', 'Not solved'], DISSATISFIED: ['不满意', 'Dissatisfied'], UNREACHED: ['未接通', 'Not reached'] },
  'Ask.Matter': { EXTENSION: ['延期', 'More time'], HOLD: ['暂停计时', 'Pause'], LEDGER: ['挂账', 'Ledger'], EXCLUSION: ['剔除', 'Exclusion'], RECTIFICATION: ['整改延期', 'More time to put right'] },
  'Ask.State': { ASKED: ['待审批', 'Waiting'], ENDORSED: ['已初审', 'Endorsed'], GRANTED: ['已同意', 'Granted'], DECLINED: ['未同意', 'Declined'], LAPSED: ['已失效', 'Lapsed'] },
  'Ask.HoldReason': {
    MATERIAL: ['等待诉求人补充材料', 'Waits for material from the requester'], THIRD_PARTY: ['等待第三方法定程序', 'Statutory procedure of others'],
    FORCE_MAJEURE: ['不可抗力', 'Force majeure'], REQUESTER_DATE: ['诉求人约定日期', 'Date asked for by the requester'],
  },
  'Ask.ExclusionReason': {
    UNREASONABLE: ['诉求不合规', 'Against the rules'], NO_POWER: ['无职权', 'No power'], NOT_FOUND: ['找不到诉求人', 'Requester not found'], MALICIOUS: ['恶意或重复', 'Malicious or repeated'], DISASTER: ['不可抗力', 'Force majeure'],
  },
  'Consultation.Stance': { AGREE: ['同意', 'Agrees'], AGREE_IF: ['有条件同意', 'Agrees if'], DISAGREE: ['不同意', 'Disagrees'] },
  RatingTag: {
    SLOW: ['办理超时', 'Too slow'], ATTITUDE: ['态度不好', 'Unfriendly'], MANY_TRIPS: ['多次跑动', 'Many trips'], UNSOLVED: ['问题未解决', 'Not solved'], EXTRA_MATERIALS: ['额外要材料', 'Extra material asked'],
    UNCLEAR: ['告知不清', 'Unclear'], IMPROPER: ['不规范', 'Against the rules'], QUICK: ['快捷高效', 'Quick'], FRIENDLY: ['热情耐心', 'Friendly'], AT_ONCE: ['一次办成', 'Done at once'], COMPETENT: ['专业清楚', 'Competent'],
  },
  'RatingCase.State': { VERIFYING: ['待核实', 'To verify'], RECTIFYING: ['整改中', 'Being put right'], ANSWERED: ['已反馈', 'Answered'], CLOSED: ['已办结', 'Closed'] },
  'RatingCase.Appeal': { PENDING: ['申诉待定', 'Appeal pending'], DENIED: ['申诉不成立', 'Appeal denied'], UPHELD: ['申诉成立', 'Appeal upheld'] },
  'Attachment.Kind': { PHOTO: ['照片', 'Photo'], DOCUMENT: ['文档', 'Document'], AUDIO: ['录音', 'Recording'] },
  'Attachment.State': { UPLOADING: ['上传中', 'Uploading'], SCANNING: ['检查中', 'Being checked'], READY: ['可用', 'Ready'], REJECTED: ['已拒收', 'Rejected'] },
  'Attachment.Visibility': { ENTERPRISE: ['企业可见', 'Company sees it'], INTERNAL: ['仅内部', 'Internal'] },
  'DispatchSuggestion.Source': { RULE: ['派单规则', 'Rule'], HISTORY: ['历史办件', 'History'] },
  'Worklist.Kind': { STATE: ['按状态', 'By state'], OVERDUE: ['已超期', 'Overdue'], DUE_SOON: ['即将到期', 'Due soon'], WAITING: ['待审批', 'To decide'], ORDERED: ['督办', 'Under order'], TO_ATTEND: ['待会商', 'To consult'], MINE: ['我的经办', 'Mine'] },
  'Unit.Kind': { DISTRICT: ['区政府', 'District government'], BUREAU: ['部门', 'Bureau'], STREET: ['街道', 'Street'], PARK: ['园区', 'Park'], CENTER: ['中心', 'Centre'], STATION: ['站点', 'Station'] },
  Means: { WECHAT: ['微信', 'WeChat'], SMS: ['短信', 'SMS'], EMAIL: ['邮件', 'E-mail'] },
  'Preference.Digest': { HOURLY: ['每小时汇总', 'Hourly'], DAILY: ['每日汇总', 'Daily'] },
  'Sent.State': { QUEUED: ['排队中', 'Queued'], DELIVERED: ['已送达', 'Delivered'], GIVEN_UP: ['已放弃', 'Given up'] },
  'Tenant.State': { ACTIVE: ['正常', 'In use'], READ_ONLY: ['只读', 'Read only'], BLOCKED: ['停用', 'Shut'] },
  'Enterprise.Kind': { LEGAL: ['法人企业', 'Legal person'], BRANCH: ['分支机构', 'Branch'], INDIVIDUAL_BUSINESS: ['个体工商户', 'Individual business'], PUBLIC_INSTITUTION: ['事业单位', 'Public institution'], SOCIAL_ORGANISATION: ['社会组织', 'Social organisation'] },
  'Enterprise.Status': {
    OPERATING: ['存续', 'Operating'], SUSPENDED: ['歇业', 'Suspended'], LIQUIDATION: ['清算', 'In liquidation'], MOVED_OUT: ['迁出', 'Moved out'], REVOKED: ['吊销', 'Revoked'], CANCELLED: ['撤销', 'Cancelled'], DEREGISTERED: ['注销', 'Deregistered'],
  },
  'Enterprise.CodeState': { CODE_OK: ['代码有效', 'Code valid'], CODE_LEGACY: ['早期代码（校验不符）', 'Early code (check digit off)'], CODE_PENDING: ['筹建未发码', 'Not issued yet'], CODE_NONE: ['无代码', 'No code'] },
  'Presence.Kind': { REGISTERED: ['注册地', 'Registered'], OPERATING: ['经营地', 'Operating'], BOTH: ['注册并经营', 'Both'], VIRTUAL: ['虚拟入驻', 'Virtual'] },
  'Qualification.Kind': {
    LISTED: ['上市企业', 'Listed'], LISTING_RESERVE: ['上市后备', 'Listing reserve'], SRDI: ['专精特新', 'SRDI'], TECH_GIANT: ['科技小巨人', 'Tech giant'], CHAMPION: ['单项冠军', 'Champion'],
    FUTURE_UNICORN: ['未来独角兽', 'Future unicorn'], GAZELLE: ['瞪羚', 'Gazelle'], TECH_SME: ['科技型中小企业', 'Tech SME'], HIGH_TECH: ['高新技术企业', 'High-tech'],
  },
  'Qualification.Basis': { OFFICIAL: ['官方认定', 'Official'], PARK_LIST: ['园区名单', 'Park list'], SELF_DECLARED: ['企业自报', 'Self-declared'] },
  'Meeting.Kind': { MEMBERS: ['党员大会', 'Members’ meeting'], COMMITTEE: ['支委会', 'Committee'], GROUP: ['党小组会', 'Group'], THEME_DAY: ['主题党日', 'Theme day'], LECTURE: ['党课', 'Lecture'] },
  'Member.Status': { PROBATIONARY: ['预备党员', 'Probationary'], FULL: ['正式党员', 'Full'], SUSPENDED_RIGHTS: ['暂停权利', 'Rights suspended'], STOPPED: ['停止党籍', 'Stopped'], LEFT: ['已离开', 'Left'] },
  'Obligation.State': { OPEN: ['待完成', 'Open'], FULFILLED: ['已完成', 'Fulfilled'], OVERDUE: ['已逾期', 'Overdue'], SUPERSEDED: ['已替代', 'Superseded'], WAIVED: ['已免除', 'Waived'] },
  'Organisation.Kind': { WORK_COMMITTEE: ['党工委', 'Work committee'], COMMITTEE: ['党委', 'Committee'], GENERAL_BRANCH: ['党总支', 'General branch'], BRANCH: ['党支部', 'Branch'], GROUP: ['党小组', 'Group'] },
  'Organisation.Form': { INDEPENDENT: ['独立组建', 'Independent'], JOINT: ['联合组建', 'Joint'], REGIONAL: ['区域组建', 'Regional'], INDUSTRY: ['行业组建', 'By industry'] },
  'Seat.Post': { SECRETARY: ['书记', 'Secretary'], DEPUTY: ['副书记', 'Deputy'], ORGANISATION: ['组织委员', 'Organisation'], PUBLICITY: ['宣传委员', 'Publicity'], DISCIPLINE: ['纪检委员', 'Discipline'], MEMBER: ['委员', 'Member'] },
  'Item.Kind': { APPROVAL: ['行政审批', 'Approval'], PARK_SERVICE: ['园区服务', 'Park service'] },
  'Channel.Kind': { HOTLINE: ['12345 热线', '12345 hotline'], VISION: ['视频感知', 'Camera'], OPEN311: ['Open311', 'Open311'] },
  'ChannelMessage.Outcome': { CREATED: ['已建诉求', 'Request made'], JOINED: ['已并入', 'Joined'], DONE: ['已处理', 'Done'], BELOW_THRESHOLD: ['低于阈值', 'Below threshold'] },
  'ChannelDelivery.State': { QUEUED: ['排队中', 'Queued'], SENT: ['已送出', 'Sent'], GIVEN_UP: ['已放弃', 'Given up'] },
  'DirectCall.State': { OPEN: ['待答复', 'Open'], ANSWERED: ['已答复', 'Answered'], CONVERTED: ['已转诉求', 'Became a request'], CLOSED: ['已关闭', 'Closed'] },
  'Discussion.State': { CALLED: ['已召集', 'Called'], FOLLOW_UP: ['跟踪中', 'Follow-up'], CLOSED: ['已办结', 'Closed'] },
  'Discussion.Task.State': { TO_DO: ['待办', 'To do'], DONE: ['已完成', 'Done'], CONFIRMED: ['已确认', 'Confirmed'] },
  Role: Object.fromEntries(Object.entries(ROLES).map(([role, { zh, en }]) => [role, [zh, en] as const])),
  FigureGroup: { UNIT: ['按单位', 'By unit'], KIND: ['按类别', 'By kind'], BUILDING: ['按楼宇', 'By building'], ZONE: ['按片区', 'By zone'] },
  'ServiceDay.State': { PLANNED: ['筹备中', 'Planned'], PUBLISHED: ['已发布', 'Published'], HELD: ['已举办', 'Held'], CLOSED: ['已办结', 'Closed'], CANCELLED: ['已取消', 'Cancelled'] },
  'Invitation.Reply': { COMING: ['参加', 'Coming'], NOT_COMING: ['不参加', 'Not coming'] },
  'Setting.Kind': { MACHINE: ['办理流程', 'State machine'], CLOCK_POLICY: ['时限规则', 'Promised times'], CALENDAR: ['工作日历', 'Work calendar'], DISPATCH_RULES: ['派单规则', 'Dispatch rules'], FIGURE_WEIGHTS: ['指标权重', 'Figure weights'] },
}

/** The name of an enumeration's value; `…_UNSPECIFIED` is nothing. */
export function name(of: string, value: string | undefined): string {
  if (!value || value.endsWith('_UNSPECIFIED')) return ''
  return ENUMS[of]?.[value]?.[english() ? 1 : 0] ?? value
}

/** Values of an enumeration with their names, in the contract's order. */
export function options(of: string): { value: string; label: string }[] {
  return Object.keys(ENUMS[of] ?? {}).map(value => ({ value, label: name(of, value) }))
}
