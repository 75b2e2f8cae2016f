// Where buildings stand in a drawing: degrees to its units. Pure.
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
