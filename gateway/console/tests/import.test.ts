import { expect, test } from 'vitest'
import { decoded, read, write } from '../src/import/csv'

test('rows begin on the line that the service counts', () => {
  const rows = read('uscc,name\na,b\n\n\nc,"d\ne"\nf,g\n')
  expect(rows.map(row => row.line)).toEqual([1, 2, 5, 7])
  expect(rows[2]!.cells).toEqual(['c', 'd\ne'])
  expect(read('uscc;name\r\na;"b ""c"""\r\n')[1]).toEqual({ line: 2, cells: ['a', 'b "c"'] })
  expect(read('uscc\tname\na\tb,c')[1]!.cells).toEqual(['a', 'b,c'])
})

test('what is written is read back, each row on its own line', () => {
  const rows = [['信用代码', '名称'], ['1', 'a,"b"'], [], ['2', 'over\ntwo lines']]
  const back = read(write(rows))
  expect(back.map(row => row.line)).toEqual([1, 2, 4])
  expect(back.map(row => row.cells)).toEqual([rows[0], rows[1], ['2', 'over two lines']])
})

test('both encodings are read', () => {
  expect(decoded(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))).toBe('a')
  expect(decoded(new Uint8Array([0xb9, 0xc4, 0xc2, 0xa5]))).toBe('鼓楼')
})
