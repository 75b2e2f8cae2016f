import { describe, expect, it } from 'vitest'
import type { Building } from '../src/gen/enterprise'
import { schematic, type Point } from '../src/parts/zones'

const building = (id: string, zone: string, latitude: number, longitude: number) => ({ id, zone_id: zone, latitude, longitude }) as Building
const area = (outline: Point[]) => Math.abs(outline.reduce((sum, p, at) => { const q = outline[(at + 1) % outline.length]!; return sum + p.x * q.y - q.x * p.y }, 0)) / 2

describe('the schematic of zones', () => {
  const all = [building('1', 'a', 26.1, 119.3), building('2', 'b', 26.1, 119.32), building('3', 'c', 26.12, 119.31), building('4', 'a', 26.101, 119.301)]
  const drawn = schematic(all)!
  it('tiles the frame: no zone overlaps another and nothing is left over', () => {
    const whole = (drawn.width - 8) * (drawn.height - 8)
    expect(drawn.cells.reduce((sum, cell) => sum + area(cell.outline), 0)).toBeCloseTo(whole, 0)
  })
  it('keeps north up and east right', () => {
    const at = (id: string) => drawn.buildings.find(one => one.id === id)!.at
    expect(at('3').y).toBeLessThan(at('1').y)
    expect(at('2').x).toBeGreaterThan(at('1').x)
  })
  it('draws one building, and nothing without a place', () => {
    expect(schematic([building('1', 'a', 26.1, 119.3)])!.cells).toHaveLength(1)
    expect(schematic([building('1', 'a', 0, 0)])).toBeUndefined()
  })
})
