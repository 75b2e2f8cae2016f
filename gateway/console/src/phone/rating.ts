// Ratings: which reasons fit which level, and what is wrong with one. The server holds the same (TAG_DOES_NOT_FIT).
import type { RatingTag } from '../gen/ticketing'
import c from '../words/everywhere'

const BAD: RatingTag[] = ['SLOW', 'ATTITUDE', 'MANY_TRIPS', 'UNSOLVED', 'EXTRA_MATERIALS', 'UNCLEAR', 'IMPROPER']
const GOOD: RatingTag[] = ['QUICK', 'FRIENDLY', 'AT_ONCE', 'COMPETENT']

export const isBad = (score: number) => score <= 2
export const tagsOf = (score: number): RatingTag[] => (isBad(score) ? BAD : GOOD)

/** What is wrong, by field. Pure. */
export function wrongs(score: number, tags: RatingTag[], again = false): Record<string, string> {
  if (!score) return { score: c.pickOne }
  return isBad(score) && !again && !tags.length ? { tags: c.pickOne } : {}
}
