// A schematic of a district's zones from where their buildings stand: no tiles, no survey, no licence. Each zone takes what is nearer to its
// middle than to any other's, within a frame around all buildings. Pure.
import type { Building } from '../gen/enterprise'
import { fit, isPlaced } from './geometry'

export interface Point { x: number; y: number }
export interface Cell {
  zone: string
  outline: Point[]
  middle: Point
}
export interface Drawn {
  width: number
  height: number
  cells: Cell[]
  buildings: { id: string; zone: string; at: Point }[]
}

const WIDTH = 600
const TALLEST = 900
const MARGIN = 60

/** What lies on a point's side of the line that halves the way to another. */
function nearer(outline: Point[], own: Point, other: Point): Point[] {
  const side = (p: Point) => (p.x - (own.x + other.x) / 2) * (other.x - own.x) + (p.y - (own.y + other.y) / 2) * (other.y - own.y)
  const kept: Point[] = []
  outline.forEach((from, index) => {
    const to = outline[(index + 1) % outline.length]!
    const [a, b] = [side(from), side(to)]
    if (a <= 0) kept.push(from)
    if (a * b < 0) kept.push({ x: from.x + ((to.x - from.x) * a) / (a - b), y: from.y + ((to.y - from.y) * a) / (a - b) })
  })
  return kept
}

const mean = (points: Point[]): Point => ({ x: points.reduce((sum, p) => sum + p.x, 0) / points.length, y: points.reduce((sum, p) => sum + p.y, 0) / points.length })

/** The schematic; nothing when no building has a place. */
export function schematic(all: Building[]): Drawn | undefined {
  const placed = all.filter(isPlaced)
  if (!placed.length) return undefined
  const view = fit(placed, WIDTH, MARGIN, TALLEST)
  const height = Math.round(Math.max(view.height, WIDTH / 2))
  // A flat row of buildings still gets room above and below.
  const drop = (height - view.height) / 2
  const buildings = placed.map(one => {
    const [x, y] = view.at(one)
    return { id: one.id, zone: one.zone_id, at: { x, y: y + drop } }
  })
  const zones = [...new Set(buildings.map(one => one.zone))]
  const middles = zones.map(zone => mean(buildings.filter(one => one.zone === zone).map(one => one.at)))
  const frame: Point[] = [{ x: 4, y: 4 }, { x: WIDTH - 4, y: 4 }, { x: WIDTH - 4, y: height - 4 }, { x: 4, y: height - 4 }]
  const cells = zones.map((zone, index) => {
    const outline = middles.reduce((left, other, at) => (at === index ? left : nearer(left, middles[index]!, other)), frame)
    return { zone, outline, middle: outline.length ? mean(outline) : middles[index]! }
  })
  return { width: WIDTH, height, cells, buildings }
}
