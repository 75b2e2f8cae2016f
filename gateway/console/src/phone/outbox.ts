// What is to be sent. A wish is written down with its key before it is sent, and taken off when the server has answered: a broken network, a
// closed page or a second tab cannot make two of one. The draft goes in the same moment in which the wish comes, and comes back if it is refused.
import { computed, shallowRef, toRaw, watch } from 'vue'
import { call, key as newKey, type Name, type Out } from '../api/call'
import { Fault } from '../api/fault'
import { me } from '../api/session'
import { fill, words } from '../words/language'
import type { Draft, Photo } from './draft'
import { all, get, write } from './keep'
import { sendPhoto } from './photo'
import { say } from './say'
import m from './words'

const w = words({
  stale: ['发送时隔太久，结果不明。请先在列表中核对，再决定是否重发。', 'It was tried long ago and its outcome is unknown. Look in the list first, then send it again or not.'],
})

export interface Wish {
  id: string
  rpc: Name
  request: Record<string, unknown>
  key: string
  /** What people see it as. */
  label: string
  photos: Photo[]
  /** Where their ids belong in the request: a list, or one. */
  photoField?: string
  draft?: Draft<object>
  at: number
  triedAt?: number
  tries: number
  /** The server said no: a person decides. */
  fault?: { message: string; reason: string; requestId: string }
}

/** What the outbox needs of the world. */
export interface World {
  load(): Promise<Wish[]>
  save(wish: Wish): Promise<void>
  /** Takes it off; a draft is given back. */
  remove(wish: Wish, back: boolean): Promise<void>
  send(wish: Wish): Promise<unknown>
  now(): number
}

/** Keys are remembered for 48 hours; what was tried longer ago may have arrived unseen. */
export const KEY_LASTS = 44 * 3600e3

export type Outcome = { done: unknown } | { waits: true } | { refused: Fault }

/** Sends one wish and writes down what became of it. A person who waits for it gets a refusal back in their form; what is refused later stays
 * in the outbox with the reason. */
export async function attempt(wish: Wish, world: World, inForm = false): Promise<Outcome> {
  if (wish.triedAt !== undefined && world.now() - wish.triedAt > KEY_LASTS) return refuse(wish, world, new Fault('ABORTED', w.stale, { reason: 'KEY_EXPIRED' }), false)
  const tried = { ...wish, tries: wish.tries + 1, triedAt: wish.triedAt ?? world.now() }
  await world.save(tried)
  try {
    const done = await world.send(tried)
    await world.remove(tried, false)
    return { done }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const kind = weigh(error, tried)
    if (kind === 'waits') return { waits: true }
    if (kind === 'done') {
      await world.remove(tried, false)
      return { done: undefined }
    }
    return refuse(tried, world, error, inForm)
  }
}

async function refuse(wish: Wish, world: World, fault: Fault, inForm: boolean): Promise<Outcome> {
  if (inForm) await world.remove(wish, true)
  else await world.save({ ...wish, fault: { message: fault.message, reason: fault.reason, requestId: fault.requestId } })
  return { refused: fault }
}

/** What a fault means for a wish. Pure. */
export function weigh(fault: Fault, wish: Wish): 'waits' | 'done' | 'refused' {
  if (fault.isOpen || fault.status === 'UNAUTHENTICATED' || fault.status === 'RESOURCE_EXHAUSTED' || fault.reason === 'NOT_READY') return 'waits'
  // An arrival has a new time at every attempt and so no key; that it is there already says that an earlier attempt arrived.
  if (wish.tries > 1 && fault.reason === 'ALREADY_CHECKED_IN') return 'done'
  return 'refused'
}

/** Sends what waits, oldest first, until the server is not reached any more. Answers how many arrived. `alone` lets one wish be sent by one tab. */
export async function drain(world: World, alone: (wish: Wish, work: () => Promise<Outcome>) => Promise<Outcome | undefined> = (_, work) => work()): Promise<number> {
  let arrived = 0
  for (const wish of (await world.load()).filter(one => !one.fault).sort((a, b) => a.at - b.at)) {
    const outcome = await alone(wish, () => attempt(wish, world))
    if (!outcome) continue
    if ('waits' in outcome) break
    if ('done' in outcome) arrived += 1
  }
  return arrived
}

// --- the phone's own world ---

const PHOTO_LASTS = 20 * 3600e3

/** The ids of a wish's photos: what is not there yet is sent now. An upload that no request took within a day is gone: it is sent anew. */
export async function sent(photos: Photo[], ticket: string | undefined, keep: () => Promise<unknown>): Promise<string[]> {
  for (const photo of photos) {
    if (photo.attachment && (ticket || Date.now() - (photo.sentAt ?? 0) < PHOTO_LASTS)) continue
    if (photo.attachment) photo.key = newKey()
    const kept = await sendPhoto(photo, ticket)
    photo.attachment = kept.id
    photo.sentAt = Date.now()
    await keep()
  }
  return photos.map(photo => photo.attachment!)
}

const world: World = {
  load: () => all<Wish>('outbox'),
  save: async wish => {
    await write({ store: 'outbox', key: wish.id, value: structured(wish) })
    await refresh()
  },
  remove: async (wish, back) => {
    await write({ store: 'outbox', key: wish.id }, ...(back && wish.draft ? [{ store: 'drafts' as const, key: wish.draft.id, value: wish.draft }] : []))
    await refresh()
  },
  now: () => Date.now(),
  send: async wish => {
    const request = { ...wish.request }
    const ids = await sent(wish.photos, request.ticket_id as string | undefined, () => write({ store: 'outbox', key: wish.id, value: structured(wish) }))
    if (wish.photoField && ids.length) request[wish.photoField] = wish.photoField.endsWith('_ids') ? ids : ids[0]
    // What the device's clock says counts at the moment of telling.
    if (wish.rpc === 'TicketService.CheckInTicket') return call(wish.rpc, { ...request, device_time: new Date().toISOString() } as never)
    return call(wish.rpc, request as never, { key: wish.key })
  },
}
// Vue's proxies cannot be kept.
const structured = (wish: Wish): Wish => ({ ...toRaw(wish), request: JSON.parse(JSON.stringify(wish.request)) as Wish['request'], photos: wish.photos.map(one => ({ ...toRaw(one) })) })

export const waiting = shallowRef<Wish[]>([])
export const waits = computed(() => waiting.value.length)
export async function refresh() {
  waiting.value = me.value ? (await world.load().catch(() => [])).sort((a, b) => a.at - b.at) : []
}

const locked = <T>(name: string, work: (mine: boolean) => Promise<T>, ifFree: boolean): Promise<T> =>
  navigator.locks ? (navigator.locks.request(name, { ifAvailable: ifFree }, lock => work(Boolean(lock))) as Promise<T>) : work(true)

/** Sends a wish now. Where the server is not reached it waits here, and goes by itself later. */
export async function send<N extends Name>(rpc: N, request: Record<string, unknown>, more: { label: string; photos?: Photo[]; photoField?: string; draft?: Draft<object> }): Promise<Out<N> | 'waits'> {
  const wish: Wish = { id: newKey(), key: newKey(), rpc, request, label: more.label, photos: more.photos ?? [], at: Date.now(), tries: 0, ...(more.photoField ? { photoField: more.photoField } : {}), ...(more.draft ? { draft: more.draft } : {}) }
  await write({ store: 'outbox', key: wish.id, value: structured(wish) }, ...(wish.draft ? [{ store: 'drafts' as const, key: wish.draft.id }] : []))
  await refresh()
  if (navigator.onLine === false) return 'waits'
  const outcome = await locked(`wish:${wish.id}`, () => attempt(wish, world, true), false)
  if ('refused' in outcome) throw outcome.refused
  return 'waits' in outcome ? 'waits' : (outcome.done as Out<N>)
}

/** Takes a wish out of the outbox for good. */
export const discard = (wish: Wish) => world.remove(wish, false)
/** Takes it out to be changed: what was typed is a draft again. Only what never left the phone, or was refused, may be. */
export const reclaim = (wish: Wish) => world.remove(wish, true)
export const isReclaimable = (wish: Wish) => Boolean(wish.draft && (wish.tries === 0 || (wish.fault && wish.fault.reason !== 'KEY_EXPIRED')))
/** Sends a refused wish as a new one. */
export async function again({ fault: _, triedAt: __, ...wish }: Wish): Promise<number> {
  await world.save({ ...wish, key: newKey(), tries: 0 })
  return run()
}

let running = false
/** Sends all that waits, says how many arrived. Two tabs do not send the same at once. */
export async function run(): Promise<number> {
  if (running || !me.value || navigator.onLine === false) return 0
  running = true
  try {
    const arrived = await locked('outbox', async mine => {
      if (!mine) return 0
      // Another tab may be sending it, or may have just done so.
      return drain(world, (wish, work) => locked(`wish:${wish.id}`, async free => (free && (await get('outbox', wish.id)) ? work() : undefined), true))
    }, true)
    if (arrived) say(fill(m.arrived, { n: arrived }))
    return arrived
  } finally {
    running = false
    await refresh()
  }
}

/** Looks after the outbox while the page is open: when the network is back, when the page is looked at again, and in between ever more seldom. */
export function look() {
  let wait = 4_000
  let timer: ReturnType<typeof setTimeout>
  const wake = async () => {
    clearTimeout(timer)
    if (document.visibilityState === 'visible' && waiting.value.some(one => !one.fault)) await run().catch(error => console.error(error))
    timer = setTimeout(wake, wait)
    wait = Math.min(wait * 2, 30_000)
  }
  const soon = () => {
    wait = 4_000
    void wake()
  }
  addEventListener('online', soon)
  document.addEventListener('visibilitychange', soon)
  watch(waits, (now, before) => now > before && (wait = 4_000))
  void refresh().then(wake)
}
