import { expect, test } from 'vitest'
import type { Organisation } from '../src/gen/party'
import { flat, grow } from '../src/organisation/tree'
import { fit } from '../src/parts/geometry'

const one = (id: string, parent_id: string, code = id) => ({ id, parent_id, code }) as Organisation

test('the tree keeps its own order: parents first, siblings by code, numbers as numbers', () => {
  const nodes = grow([one('top', ''), one('x', 'top', 'b10'), one('y', 'top', 'b2'), one('z', 'y'), one('lost', 'gone')])
  expect(flat(nodes).map(node => [node.one.id, node.depth])).toEqual([['lost', 0], ['top', 0], ['y', 1], ['z', 2], ['x', 1]])
  expect(flat(nodes, id => id !== 'y').map(node => node.one.id)).toEqual(['lost', 'top', 'y', 'x'])
})

test('places keep their form in a drawing, north is up', () => {
  const [a, b] = [{ latitude: 26.1, longitude: 119.25 }, { latitude: 26.11, longitude: 119.26 }]
  const view = fit([a, b, { latitude: 0, longitude: 0 }], 600, 40)
  const [low, high] = [view.at(a), view.at(b)]
  expect(high[0]).toBeGreaterThan(low[0])
  expect(high[1]).toBeLessThan(low[1])
  const ratio = (high[0] - low[0]) / (low[1] - high[1])
  expect(ratio).toBeCloseTo(Math.cos((26.105 * Math.PI) / 180), 3)
  for (const at of [low, high]) for (const value of at) expect(value).toBeGreaterThanOrEqual(39)
})
