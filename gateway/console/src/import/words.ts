import { words } from '../words/language'

export default words({
  title: ['批量导入', 'Import'],
  back: ['企业名录', 'Companies'],
  what: ['导入内容', 'What is imported'],
  enterprises: ['企业', 'Companies'],
  qualifications: ['资质认定', 'Qualifications'],
  file: ['文件', 'File'],
  pick: ['选择文件', 'Choose a file'],
  drop: ['或把文件拖到这里。Excel 工作簿（第一张表）或 CSV，最大 8 MB。', 'or drop it here. An Excel workbook (its first sheet) or a CSV, at most 8 MB.'],
  template: ['下载模板', 'Template'],
  columns: ['列名与模板一致即可，顺序不限；空白单元格表示不修改，填 #CLEAR 表示清空。', 'Columns go by their names, in any order. An empty cell changes nothing; #CLEAR empties.'],
  codeNote: ['信用代码一列请设为文本格式：数字格式会丢失末尾几位，这样的行会被拒绝。', 'Keep the credit code as text: as a number it loses its last digits, and such rows are refused.'],
  check: ['预检', 'Check'],
  checking: ['正在核对，大文件需要半分钟', 'Checking; a large file takes half a minute'],
  commit: ['确认导入', 'Import'],
  commitN: ['确认导入（{n} 行会写入）', 'Import ({n} rows will be written)'],
  importNow: ['导入', 'Import'],
  noPreview: ['资质导入没有预检：有问题的行会被拒绝，其余直接写入。重复导入同一文件不会产生重复记录。', 'Qualifications have no check before: faulty rows are refused, the others are written. The same file again changes nothing.'],
  importing: ['正在导入', 'Importing'],
  checked: ['预检结果（尚未写入）', 'What would happen (nothing is written yet)'],
  done: ['导入结果', 'What happened'],
  read: ['读取', 'Read'],
  created: ['新增', 'New'],
  changed: ['更新', 'Changed'],
  unchanged: ['无变化', 'Unchanged'],
  rejected: ['拒绝', 'Refused'],
  skipped: ['空行', 'Blank'],
  addsUp: ['读取 = 新增 + 更新 + 无变化 + 拒绝 + 空行', 'Read = new + changed + unchanged + refused + blank'],
  problems: ['被拒绝的行', 'Rows refused'],
  noProblems: ['没有被拒绝的行', 'No row was refused'],
  firstN: ['只列出前 {n} 行，全部见下载的文件', 'The first {n}; all of them are in the file'],
  download: ['下载问题行', 'Download the refused rows'],
  downloadNote: ['下载的工作簿含原内容和问题说明，改正后可直接再次导入。', 'The workbook has the rows with what is wrong. Correct it and import it as it is.'],
  line: ['行', 'Line'],
  column: ['列', 'Column'],
  code: ['代码', 'Code'],
  message: ['说明', 'What is wrong'],
  tooLarge: ['文件超过 8 MB，请分成几份', 'More than 8 MB: split the file'],
  unreadable: ['无法读取该文件，请另存为 CSV（UTF-8）再试', 'The file cannot be read. Save it as CSV (UTF-8) and try again'],
  another: ['换一个文件', 'Another file'],
  seeList: ['查看企业名录', 'See the companies'],
  rows: ['{n} 行', '{n} rows'],
})

// The columns as the service knows them, by its names and those that people write, and a row that shows how it is filled in. They are Chinese
// in both languages: they are what the service reads. The company is made up.
export const TEMPLATES = {
  enterprises: {
    columns: [['uscc', '统一社会信用代码'], ['name', '企业名称'], ['short_name', '简称'], ['kind', '类型'], ['status', '状态'], ['industry', '行业代码'], ['capital_wan', '注册资本（万元）'], ['established_on', '成立日期'], ['building_key', '楼宇编号'], ['presence', '入驻方式'], ['since', '入驻日期']],
    examples: [['示例，导入前请删除本行', '福州示例软件科技有限公司', '示例软件', '企业', '存续', '6513', '1000', '2023-04-07', 'A-24', '注册并经营', '2025-05-16']],
  },
  qualifications: {
    columns: [['uscc', '统一社会信用代码'], ['kind', '资质类型'], ['level', '级别'], ['basis', '认定依据'], ['certificate_no', '证书编号'], ['valid_from', '生效日期'], ['valid_to', '有效期至'], ['issuer', '发证机关']],
    examples: [['示例，导入前请删除本行', '高新技术企业', '', '官方', 'GR202435000000', '2024-12-04', '2027-12-03', '省科技厅']],
  },
} satisfies Record<string, { columns: [string, string][]; examples: string[][] }>
