// Text tables: read with the line that each row begins on, as the service counts lines, and written so that it reads them back. Pure.
export interface Row {
  /** Line in the file, the first being 1. */
  line: number
  cells: string[]
}

/** UTF-8 with or without a mark, else GB18030, as the service reads it. */
export function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('gb18030').decode(bytes)
  }
}

/** Rows of a text with commas, or with tabs or semicolons where the header has them instead. Rows without any text are left out. */
export function read(text: string): Row[] {
  const header = text.split(/\r?\n/, 1)[0] ?? ''
  const comma = [',', '\t', ';'].find(sign => header.includes(sign)) ?? ','
  const rows: Row[] = []
  let row: Row = { line: 1, cells: [] }
  let cell = ''
  let quoted = false
  let line = 1
  const end = () => {
    row.cells.push(cell)
    cell = ''
  }
  for (let at = 0; at <= text.length; at++) {
    const sign = text[at]
    if (sign === '\n') line += 1
    if (quoted && sign !== undefined) {
      if (sign !== '"') cell += sign
      else if (text[at + 1] === '"') cell += text[++at]
      else quoted = false
    } else if (sign === '"' && cell === '') quoted = true
    else if (sign === comma) end()
    else if (sign === '\n' || sign === undefined) {
      end()
      if (row.cells.some(one => one.trim())) rows.push(row)
      row = { line, cells: [] }
    } else if (sign !== '\r') cell += sign
  }
  return rows
}

const cell = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** A text of rows, one a line each. A break inside a cell becomes a blank: then a row's number is its line. */
export const write = (rows: string[][]) => rows.map(row => row.map(text => cell(text.replace(/\s*[\r\n]+\s*/g, ' '))).join(',')).join('\n')
