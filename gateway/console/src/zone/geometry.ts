// A schematic map out of points and rings: degrees to the drawing's units, and the outline of a group of points. Pure.
export interface Place {
  latitude: number
  longitude: number
}
export type Point = readonly [x: number, y: number]

export interface View {
  width: number
  height: number
  /** Units of the drawing for a place. */
  at: (place: Place) => Point
}

/** Whether a place says where it is: zero and zero is what a form leaves when nobody filled it in. */
export const isPlaced = (place: Place) => Boolean(place.latitude || place.longitude)

/**
 * Fits places into a drawing of a given width. Degrees of longitude are shortened by the latitude, so that shapes keep their form; over a
 * district the earth is flat enough for that.
 */
export function fit(places: Place[], width: number, margin: number, tallest = width): View {
  const placed = places.filter(isPlaced)
  if (!placed.length) return { width, height: width / 2, at: () => [width / 2, width / 4] }
  const range = (values: number[]) => [Math.min(...values), Math.max(...values)] as const
  const [south, north] = range(placed.map(place => place.latitude))
  const [west, east] = range(placed.map(place => place.longitude))
  const shorten = Math.cos((((south + north) / 2) * Math.PI) / 180)
  // A single point, or a row of them, still needs some ground around it.
  const across = Math.max((east - west) * shorten, 0.0008)
  const up = Math.max(north - south, 0.0008)
  const scale = Math.min((width - 2 * margin) / across, (tallest - 2 * margin) / up)
  const height = up * scale + 2 * margin
  const [middle, centre] = [(west + east) / 2, (south + north) / 2]
  return { width, height, at: place => [width / 2 + (place.longitude - middle) * shorten * scale, height / 2 - (place.latitude - centre) * scale] }
}

const turn = (o: Point, a: Point, b: Point) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])

/** The convex outline of points (Andrew's monotone chain), in order around it. */
export function outline(points: Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1])
  if (sorted.length < 3) return sorted
  const half = (list: Point[]) => {
    const chain: Point[] = []
    for (const point of list) {
      while (chain.length > 1 && turn(chain[chain.length - 2]!, chain[chain.length - 1]!, point) <= 0) chain.pop()
      chain.push(point)
    }
    chain.pop()
    return chain
  }
  return [...half(sorted), ...half(sorted.reverse())]
}

export const middle = (points: Point[]): Point => [points.reduce((sum, point) => sum + point[0], 0) / points.length, points.reduce((sum, point) => sum + point[1], 0) / points.length]

/** The path of a ring of points. */
export const path = (points: Point[]) => points.map(([x, y], index) => `${index ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('') + (points.length > 2 ? 'Z' : '')
