// What of a district's operation somebody should look at.
import type { Follower, Operation } from '../gen/identity'

/** A moment's lag is how it works; what lasts shows at the next look. */
export const BEHIND = 50
export const isBehind = (one: Follower) => Number(one.behind) > BEHIND || Number(one.behind) < 0 || one.set_aside !== '0'

/** How many things there are to look at. */
export function findings({ services }: Operation): number {
  const up = services.filter(one => one.up)
  return [
    services.filter(one => !one.up || Number(one.unnumbered) > BEHIND),
    up.flatMap(one => one.followers).filter(isBehind),
    up.flatMap(one => one.dues).filter(one => one.late !== '0'),
    up.filter(one => one.deliveries && (one.deliveries.failing !== '0' || one.deliveries.given_up !== '0')),
  ].reduce((sum, one) => sum + one.length, 0)
}
