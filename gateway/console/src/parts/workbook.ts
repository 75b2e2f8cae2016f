// A workbook (Office Open XML) of text cells: a small archive of XML parts, stored without compression. No library: what we write is four parts.
export interface Sheet {
  name: string
  rows: string[][]
}

const escape = (text: string) => text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '').replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`)

// Inline strings are text whatever they begin with: `=1+1` stays what was typed.
const cell = (text: string) => `<c t="inlineStr"><is><t xml:space="preserve">${escape(text ?? '')}</t></is></c>`
const page = (sheet: Sheet) => `<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>${sheet.rows.map(row => `<row>${row.map(cell).join('')}</row>`).join('')}</sheetData></worksheet>`

export async function workbook(sheets: Sheet[]): Promise<Blob> {
  const main = 'http://schemas.openxmlformats.org'
  const head = '<?xml version="1.0" encoding="UTF-8"?>'
  const kind = 'application/vnd.openxmlformats-officedocument.spreadsheetml'
  const parts: [string, string][] = [
    ['[Content_Types].xml', `${head}<Types xmlns="${main}/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="${kind}.sheet.main+xml"/>${sheets.map((_, n) => `<Override PartName="/xl/worksheets/sheet${n + 1}.xml" ContentType="${kind}.worksheet+xml"/>`).join('')}</Types>`],
    ['_rels/.rels', `${head}<Relationships xmlns="${main}/package/2006/relationships"><Relationship Id="r1" Type="${main}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`],
    ['xl/workbook.xml', `${head}<workbook xmlns="${main}/spreadsheetml/2006/main" xmlns:r="${main}/officeDocument/2006/relationships"><sheets>${sheets.map((sheet, n) => `<sheet name="${escape(sheet.name).slice(0, 31)}" sheetId="${n + 1}" r:id="r${n + 1}"/>`).join('')}</sheets></workbook>`],
    ['xl/_rels/workbook.xml.rels', `${head}<Relationships xmlns="${main}/package/2006/relationships">${sheets.map((_, n) => `<Relationship Id="r${n + 1}" Type="${main}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet${n + 1}.xml"/>`).join('')}</Relationships>`],
    ...sheets.map((sheet, n): [string, string] => [`xl/worksheets/sheet${n + 1}.xml`, page(sheet)]),
  ]
  return new Blob(archive(parts), { type: `${kind}.sheet` })
}

/** Hands a file to the person. */
export function save(file: Blob, name: string) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

const TABLE = Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1
  return n >>> 0
})
export function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 255]! ^ (sum >>> 8)
  return (sum ^ 0xffffffff) >>> 0
}

// ZIP, method "stored" (PKWARE APPNOTE 4.3): local header and data of each part, then the directory, then its end.
function archive(parts: [string, string][]): Uint8Array<ArrayBuffer>[] {
  const encoder = new TextEncoder()
  const out: Uint8Array<ArrayBuffer>[] = []
  const directory: Uint8Array<ArrayBuffer>[] = []
  let offset = 0
  for (const [name, text] of parts) {
    const title = encoder.encode(name)
    const data = encoder.encode(text)
    const facts = (size: number) => {
      const view = new DataView(new ArrayBuffer(size))
      const at = size === 30 ? 4 : 6
      view.setUint32(0, size === 30 ? 0x04034b50 : 0x02014b50, true)
      if (size === 46) view.setUint16(4, 20, true)
      view.setUint16(at, 20, true)
      view.setUint16(at + 2, 0x0800, true)
      view.setUint16(at + 8, 0x21, true)
      view.setUint32(at + 10, crc32(data), true)
      view.setUint32(at + 14, data.length, true)
      view.setUint32(at + 18, data.length, true)
      view.setUint16(at + 22, title.length, true)
      if (size === 46) view.setUint32(42, offset, true)
      return new Uint8Array(view.buffer)
    }
    directory.push(facts(46), title)
    const local = facts(30)
    out.push(local, title, data)
    offset += local.length + title.length + data.length
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0)
  const end = new DataView(new ArrayBuffer(22))
  end.setUint32(0, 0x06054b50, true)
  end.setUint16(8, parts.length, true)
  end.setUint16(10, parts.length, true)
  end.setUint32(12, length, true)
  end.setUint32(16, offset, true)
  return [...out, ...directory, new Uint8Array(end.buffer)]
}
