// What can be imported, and by which RPC.
import type { RowProblem } from '../gen/enterprise'
import { call, type Options } from '../api/call'
import { TEMPLATES } from './words'

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
  examples: string[][]
  preview: boolean
  send: (csv: string, preview: boolean, options: Options) => Promise<Report>
}

export const KINDS: Record<'enterprises' | 'qualifications', Kind> = {
  enterprises: {
    ...TEMPLATES.enterprises,
    preview: true,
    send: (csv, preview, options) => call('EnterpriseService.ImportEnterprises', { csv, preview }, options),
  },
  qualifications: {
    ...TEMPLATES.qualifications,
    preview: false,
    send: (csv, _, options) => call('QualificationService.ImportQualifications', { csv }, options),
  },
}
/** A column's name for people. */
export const titleOf = (kind: keyof typeof KINDS, column: string) => KINDS[kind].columns.find(([name]) => name === column)?.[1] ?? column
