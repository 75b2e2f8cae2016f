// What proves an arrival, as the server weighs it: the position within the fence, the code of the building's sign, or a reason with a photo.

/** Within so many metres of the building an arrival counts; a district may set another number, and the server says so. */
export const FENCE = 150

const CODE = /DT1\.[0-9a-f]{32}\.[0-9a-f]{24}/i

/** The code of a building's sign in what was scanned or typed: alone or within an address. Pure. */
export const codeIn = (text: string): string | undefined => CODE.exec(text.trim())?.[0]

export interface Arrival {
  /** Metres from the building; nothing where no position or no building is known. */
  away?: number
  hasBuilding: boolean
  hasPosition: boolean
  code: string
  reason: string
  photos: number
}

/** By what an arrival would be proved now; nothing when it would not. Pure. */
export function proof({ away, hasBuilding, hasPosition, code, reason, photos }: Arrival, fence = FENCE): 'CODE' | 'GPS' | 'STATED' | undefined {
  if (codeIn(code)) return 'CODE'
  if (hasPosition && (!hasBuilding || (away !== undefined && Math.round(away) <= fence))) return 'GPS'
  return reason.trim().length >= 2 && photos > 0 ? 'STATED' : undefined
}
