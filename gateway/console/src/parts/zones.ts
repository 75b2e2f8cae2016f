// A schematic of a district's zones from where their buildings stand: no tiles, no survey, no licence. Each zone takes what is nearer to its
// middle than to any other's, within a frame around all buildings. Pure.
import type { Building } from '../gen/enterprise'

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
  const placed = all.filter(one => one.latitude || one.longitude)
  if (!placed.length) return undefined
  const [south, north] = [Math.min(...placed.map(one => one.latitude)), Math.max(...placed.map(one => one.latitude))]
  const [west, east] = [Math.min(...placed.map(one => one.longitude)), Math.max(...placed.map(one => one.longitude))]
  // A degree of longitude is shorter away from the equator.
  const shrink = Math.cos((((south + north) / 2) * Math.PI) / 180)
  const scale = (WIDTH - 2 * MARGIN) / Math.max((east - west) * shrink, (north - south) / 1.6, 1e-6)
  const height = Math.round(Math.max((north - south) * scale + 2 * MARGIN, WIDTH / 2))
  const inset = (WIDTH - (east - west) * shrink * scale) / 2
  const drop = (height - (north - south) * scale) / 2
  const buildings = placed.map(one => ({ id: one.id, zone: one.zone_id, at: { x: inset + (one.longitude - west) * shrink * scale, y: drop + (north - one.latitude) * scale } }))
  const zones = [...new Set(buildings.map(one => one.zone))]
  const middles = zones.map(zone => mean(buildings.filter(one => one.zone === zone).map(one => one.at)))
  const frame: Point[] = [{ x: 4, y: 4 }, { x: WIDTH - 4, y: 4 }, { x: WIDTH - 4, y: height - 4 }, { x: 4, y: height - 4 }]
  const cells = zones.map((zone, index) => {
    const outline = middles.reduce((left, other, at) => (at === index ? left : nearer(left, middles[index]!, other)), frame)
    return { zone, outline, middle: outline.length ? mean(outline) : middles[index]! }
  })
  return { width: WIDTH, height, cells, buildings }
}
