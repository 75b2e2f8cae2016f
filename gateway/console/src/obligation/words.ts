import { fields } from '../words/fields'
import { english, fill, words } from '../words/language'

fields({
  'WaiveObligationRequest.reason': ['免除原因（存档）', 'Why (kept on record)'],
  'WaiveObligationRequest.until': ['免除至（当日起恢复）', 'Until (it is owed again from this day on)'],
})

const w = words({
  list: ['应办事项', 'Obligations'],
  one: ['应办事项', 'Obligation'],
  board: ['组织看板', 'Board by organisation'],
  rules: ['规则依据', 'Rules and sources'],
  toDo: ['待办与逾期', 'To do'],
  none: ['没有应办事项', 'Nothing is owed'],
  noneToDo: ['没有待办和逾期事项', 'Nothing is open or overdue'],
  what: ['事项', 'What'],
  organisation: ['党组织', 'Organisation'],
  kind: ['组织类型', 'Kind of organisation'],
  period: ['周期', 'Period'],
  due: ['截止', 'Due'],
  state: ['状态', 'State'],
  severity: ['程度', 'Severity'],
  reminders: ['已提醒', 'Reminded'],
  times: ['{n} 次', '{n}×'],
  act: ['操作', 'Action'],
  waive: ['免除', 'Waive'],
  waiveHint: ['免除须写明原因和期限，到期后自动恢复；规则和提醒不会因此改变。', 'A waiver says why and until when; afterwards it is owed again. The rule itself does not change.'],
  waived: ['免除原因', 'Why it was waived'],
  waivedUntil: ['免除至', 'Waived until'],
  record: ['登记会议', 'Record the meeting'],
  evaluate: ['立即核算', 'Evaluate now'],
  evaluated: ['新增 {created}，完成 {fulfilled}，逾期 {overdue}，替代 {superseded}，提醒 {reminded}', '{created} added, {fulfilled} fulfilled, {overdue} overdue, {superseded} replaced, {reminded} reminded'],
  source: ['依据', 'Source'],
  effective: ['生效', 'In force from'],
  cadence: ['周期', 'How often'],
  rule: ['规则', 'Rule'],
  on: ['按日期查看', 'As of'],
  ruleNote: ['规则随依据的版本生效；已开始的事项按开始时的版本办理。', 'Rules follow the versions of their sources; what has begun keeps the version it began under.'],
  boardNote: ['按组织隶属顺序排列，不作排名。已完成和已免除的列出本月起的；空白表示对该组织不适用。', 'In the order of the tree, never a ranking. What is done or waived is shown from this month on; a blank is not for this organisation.'],
  onlyOverdue: ['只看有逾期的', 'Only with something overdue'],
  onlyOpen: ['只看有待办的', 'Only with something open'],
  overdueCell: ['逾期 {n} 项', '{n} overdue'],
  openCell: ['{d} 前', 'By {d}'],
  sum: ['{o} 个组织有逾期事项，{n} 项逾期，{m} 项待办', '{o} organisations with something overdue; {n} overdue, {m} open'],
  legend: ['各列的规则', 'What the columns are'],
  ruleText: ['规则原文', 'What the rule says'],
})
export default w

const SHORT = words({
  M1: ['党员大会', 'Members’ meeting'],
  M2: ['支委会', 'Committee'],
  M3: ['党小组会', 'Group'],
  M4: ['主题党日', 'Theme day'],
  E1: ['换届准备', 'Election ahead'],
  E3: ['按期换届', 'Election'],
  O5: ['设支委会', 'Needs a committee'],
})
/** What a rule is called where there is little room; rules that came later by their code. */
export const short = (code: string) => SHORT[code as 'M1'] ?? code

export const severity = words({ 0: ['—', '—'], 1: ['提示', 'Information'], 2: ['提醒', 'Reminder'], 3: ['预警', 'Warning'], 4: ['严重', 'Breach'] })
export const cadence = words({ QUARTER: ['每季度', 'Every quarter'], MONTH: ['每月', 'Every month'], TERM_END: ['任期届满', 'At the end of a term'], ANCHOR: ['自条件成立起', 'From when it applies'] })

/** `2026-Q4` and `2026-11` as people say them; an anchor is a day already. */
export function period(name: string): string {
  const [year, part] = name.split('-')
  if (!part || name.length > 7) return name
  if (part.startsWith('Q')) return english() ? `${part} ${year}` : `${year}年第${part.slice(1)}季度`
  return english() ? name : `${year}年${Number(part)}月`
}
/** What an obligation or a rule says, in the language of the moment. */
export const said = (one: { text_zh: string; text_en: string }) => (english() ? one.text_en : one.text_zh)
export const tally = (counts: Record<string, number>) => fill(w.evaluated, counts)
