// Reads the first sheet of a workbook (Office Open XML) as rows of text: what people keep their lists in becomes what the service takes.
// No library: an archive is opened with what browsers have. Old ones have not, and say so.
export class Unreadable extends Error {}

const LARGEST = 200 << 20

// ZIP (PKWARE APPNOTE 4.3): the directory at the end says where each part lies.
async function parts(bytes: Uint8Array<ArrayBuffer>, wanted: (name: string) => boolean): Promise<Map<string, string>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let end = bytes.length - 22
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1
  if (end < 0) throw new Unreadable()
  const found = new Map<string, string>()
  let at = view.getUint32(end + 16, true)
  for (let count = view.getUint16(end + 10, true); count > 0; count--) {
    if (view.getUint32(at, true) !== 0x02014b50) throw new Unreadable()
    const [method, packed, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true), view.getUint32(at + 24, true)]
    const [title, extra, comment, local] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true), view.getUint32(at + 42, true)]
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + title))
    if (wanted(name)) {
      if (size > LARGEST) throw new Unreadable()
      const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
      found.set(name, new TextDecoder().decode(await unpacked(bytes.slice(from, from + packed), method)))
    }
    at += 46 + title + extra + comment
  }
  return found
}

async function unpacked(data: Uint8Array<ArrayBuffer>, method: number): Promise<ArrayBuffer | Uint8Array> {
  if (method === 0) return data
  if (method !== 8 || !('DecompressionStream' in globalThis)) throw new Unreadable()
  return new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).arrayBuffer()
}

const xml = (text: string | undefined) => new DOMParser().parseFromString(text ?? '<none/>', 'application/xml')
const all = (from: Document | Element, name: string) => [...from.getElementsByTagName(name)]
// Phonetic readings stand beside a text and are no part of it.
const texts = (from: Element) => all(from, 't').filter(one => one.parentElement?.nodeName !== 'rPh').map(one => one.textContent ?? '').join('')

/** Which styles show a number as a day: the built-in ones, and those whose format speaks of years, months or days. */
function days(styles: Document): boolean[] {
  const own = new Map(all(styles, 'numFmt').map(one => [Number(one.getAttribute('numFmtId')), (one.getAttribute('formatCode') ?? '').replace(/"[^"]*"|\[[^\]]*\]/g, '')]))
  const isDay = (id: number) => (id >= 14 && id <= 17) || id === 22 || (id >= 27 && id <= 36) || (id >= 50 && id <= 58) || /[yd\u5e74\u65e5]/i.test(own.get(id) ?? '')
  return all(all(styles, 'cellXfs')[0] ?? styles, 'xf').map(one => isDay(Number(one.getAttribute('numFmtId'))))
}

/** `B3` is column 1. */
function column(ref: string): number {
  let at = 0
  for (const letter of ref.replace(/\d+/g, '')) at = at * 26 + letter.charCodeAt(0) - 64
  return at - 1
}

function number(text: string, isDay: boolean, shift: number): string {
  if (isDay) return new Date((Math.floor(Number(text)) - 25569 + shift) * 86_400_000).toISOString().slice(0, 10)
  // Sixteen digits and more are not what somebody typed: a sheet keeps fifteen. Told as what it is, so that the service refuses it.
  return /^\d{16,}$/.test(text) ? Number(text).toExponential() : /e/i.test(text) && Math.abs(Number(text)) < 1e15 ? String(Number(text)) : text
}

/** Rows of the first sheet; a row's place in the list is its row in the sheet. */
export async function rows(bytes: Uint8Array<ArrayBuffer>): Promise<string[][]> {
  const found = await parts(bytes, name => /^xl\/(workbook\.xml|_rels\/workbook\.xml\.rels|sharedStrings\.xml|styles\.xml|worksheets\/[^/]+\.xml)$/.test(name))
  const book = xml(found.get('xl/workbook.xml'))
  const first = all(book, 'sheet')[0]
  const link = all(xml(found.get('xl/_rels/workbook.xml.rels')), 'Relationship').find(one => one.getAttribute('Id') === first?.getAttribute('r:id'))
  const sheet = found.get(`xl/${(link?.getAttribute('Target') ?? '').replace(/^\/?(xl\/)?/, '')}`)
  if (!sheet) throw new Unreadable()
  const shared = all(xml(found.get('xl/sharedStrings.xml')), 'si').map(texts)
  const isDay = days(xml(found.get('xl/styles.xml')))
  const shift = /^(1|true)$/.test(all(book, 'workbookPr')[0]?.getAttribute('date1904') ?? '') ? 1462 : 0
  const read: string[][] = []
  for (const row of all(xml(sheet), 'row')) {
    const at = Number(row.getAttribute('r') ?? read.length + 1) - 1
    while (read.length < at) read.push([])
    const cells: string[] = []
    for (const cell of all(row, 'c')) {
      const place = cell.hasAttribute('r') ? column(cell.getAttribute('r')!) : cells.length
      while (cells.length < place) cells.push('')
      const value = all(cell, 'v')[0]?.textContent ?? ''
      const type = cell.getAttribute('t') ?? 'n'
      cells[place] = type === 's' ? (shared[Number(value)] ?? '') : type === 'inlineStr' ? texts(cell) : type === 'n' && value ? number(value, isDay[Number(cell.getAttribute('s') ?? 0)] ?? false, shift) : value
    }
    read.push(cells)
  }
  return read
}
