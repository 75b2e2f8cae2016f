// What can be imported, with the columns of its template as the service knows them.
import type { RowProblem } from '../gen/enterprise'
import { call, type Options } from '../api/call'

export interface Report {
  read: number
  created: number
  changed?: number
  unchanged: number
  rejected: number
  skipped: number
  problems: RowProblem[]
}
interface Kind {
  columns: readonly (readonly [name: string, title: string])[]
  /** Two rows that show how it is filled in; the companies are made up. */
  examples: string[][]
  preview: boolean
  send: (csv: string, preview: boolean, options: Options) => Promise<Report>
}

export const KINDS: Record<'enterprises' | 'qualifications', Kind> = {
  enterprises: {
    columns: [['uscc', '统一社会信用代码'], ['name', '企业名称'], ['short_name', '简称'], ['kind', '类型'], ['status', '状态'], ['industry', '行业代码'], ['capital_wan', '注册资本（万元）'], ['established_on', '成立日期'], ['building_key', '楼宇编号'], ['presence', '入驻方式'], ['since', '入驻日期']],
    examples: [['91350102MAKEF4UK3J', '福州示例软件科技有限公司', '示例软件', '企业', '存续', '6513', '1000', '2023-04-07', 'A-24', '注册并经营', '2025-05-16']],
    preview: true,
    send: (csv, preview, options) => call('EnterpriseService.ImportEnterprises', { csv, preview }, options),
  },
  qualifications: {
    columns: [['uscc', '统一社会信用代码'], ['kind', '资质类型'], ['level', '级别'], ['basis', '认定依据'], ['certificate_no', '证书编号'], ['valid_from', '生效日期'], ['valid_to', '有效期至'], ['issuer', '发证机关']],
    examples: [['91350102MAKEF4UK3J', '高新技术企业', '', '官方', 'GR202435000000', '2024-12-04', '2027-12-03', '省科技厅']],
    preview: false,
    send: (csv, _, options) => call('QualificationService.ImportQualifications', { csv }, options),
  },
}
/** A column's name for people. */
export const titleOf = (kind: keyof typeof KINDS, column: string) => KINDS[kind].columns.find(([name]) => name === column)?.[1] ?? column
