// Where somebody stands, and how far that is: distances as the server reckons them, a picture without a map's tiles.

export interface Point {
  latitude: number
  longitude: number
}

const EARTH = 6_371_000
const radians = (degrees: number) => (degrees * Math.PI) / 180

/** Metres between two places (haversine, on a sphere as the server does). Pure. */
export function distance(a: Point, b: Point): number {
  const [dLat, dLon] = [radians(b.latitude - a.latitude), radians(b.longitude - a.longitude)]
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLon / 2) ** 2
  return 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(h)))
}

/** How far east and north of a place another is, metres. Pure. */
export function offset(from: Point, to: Point): { east: number; north: number } {
  return { east: radians(to.longitude - from.longitude) * EARTH * Math.cos(radians((from.latitude + to.latitude) / 2)), north: radians(to.latitude - from.latitude) * EARTH }
}

/** Of eight directions the one in which another place lies, from 0 for north, clockwise. Pure. */
export function direction(from: Point, to: Point): number {
  const { east, north } = offset(from, to)
  return Math.round((Math.atan2(east, north) / Math.PI) * 4 + 8) % 8
}

/** Half the width of a picture that shows the fence and, as far as it is not out of all measure, where somebody stands. Pure. */
export function reach(fence: number, away: number | undefined): number {
  return Math.min(Math.max(fence * 1.35, (away ?? 0) * 1.2), fence * 12)
}

export interface Position extends Point {
  /** Metres within which it is true. */
  accuracy: number
  /** By the device's clock. */
  at: number
}

/** The position now; says what is in the way. */
export function locate(): Promise<Position> {
  return new Promise((done, failed) => {
    if (!navigator.geolocation) return failed(new Error('NONE'))
    navigator.geolocation.getCurrentPosition(
      ({ coords, timestamp }) => done({ latitude: coords.latitude, longitude: coords.longitude, accuracy: coords.accuracy, at: timestamp }),
      error => failed(new Error(error.code === error.PERMISSION_DENIED ? 'DENIED' : error.code === error.TIMEOUT ? 'TIMEOUT' : 'NONE')),
      { enableHighAccuracy: true, timeout: 15_000, maximumAge: 0 },
    )
  })
}
