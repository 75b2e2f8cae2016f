// Drafts: what is typed and photographed is kept while it is typed, one draft a form and tab. Two tabs never write the same one.
import { onScopeDispose, reactive, ref, watch } from 'vue'
import { key } from '../api/call'
import { all, write } from './keep'

/** A photo, small already, and how far it has come. */
export interface Photo {
  id: string
  name: string
  type: string
  blob: Blob
  /** Its upload's key: the same photo is never kept twice. */
  key: string
  /** What the server keeps it as, once it is there. */
  attachment?: string
  sentAt?: number
}

export interface Draft<V> {
  id: string
  form: string
  values: V
  photos: Photo[]
  savedAt: number
}

/** Older drafts are not offered any more. */
export const KEPT_FOR = 14 * 86400e3

/** Drafts of a form that may be taken up, newest first. Pure. */
export function offered<V>(drafts: Draft<V>[], form: string, now: number): Draft<V>[] {
  return drafts.filter(one => one.form === form && now - one.savedAt < KEPT_FOR).sort((a, b) => b.savedAt - a.savedAt)
}

/** Whether anything was typed at all: what is as it began is nothing. Pure. */
export function isTouched(values: object, empty: object, photos: Photo[]): boolean {
  return photos.length > 0 || JSON.stringify(values) !== JSON.stringify(empty)
}

/** Takes a lock until the page goes, if nobody else has it. Where a browser has no locks, everybody gets it. */
function held(name: string, until: Promise<void>): Promise<boolean> {
  if (!navigator.locks) return Promise.resolve(true)
  return new Promise(answer => {
    void navigator.locks.request(name, { ifAvailable: true }, lock => {
      answer(Boolean(lock))
      return lock ? until : undefined
    })
  })
}

/** The draft of a form: taken up where one was left, saved a moment after every change. */
export function useDraft<V extends object>(form: string, empty: () => V) {
  let release = () => {}
  const released = new Promise<void>(done => (release = done))
  let id = ''
  const values = reactive(empty()) as V
  const photos = ref<Photo[]>([])
  /** Something from before was taken up. */
  const resumed = ref(false)
  const savedAt = ref(0)
  const ready = ref(false)

  async function take() {
    for (const one of offered(await all<Draft<V>>('drafts').catch(() => []), form, Date.now())) {
      if (!(await held(`draft:${one.id}`, released))) continue
      id = one.id
      Object.assign(values, one.values)
      photos.value = one.photos
      savedAt.value = one.savedAt
      resumed.value = true
      break
    }
    if (!id) await begin()
    ready.value = true
  }
  async function begin() {
    id = key()
    await held(`draft:${id}`, released)
  }

  let timer: ReturnType<typeof setTimeout> | undefined
  let isAway = false
  const shape = (): Draft<V> => ({ id, form, values: JSON.parse(JSON.stringify(values)) as V, photos: photos.value.map(one => ({ ...one })), savedAt: Date.now() })
  async function save() {
    clearTimeout(timer)
    timer = undefined
    const draft = shape()
    const isKept = isTouched(values, empty(), photos.value)
    await write({ store: 'drafts', key: id, ...(isKept ? { value: draft } : {}) }).catch(error => console.error(error))
    savedAt.value = isKept ? draft.savedAt : 0
  }
  watch([values, photos], () => {
    if (!ready.value || isAway) return
    clearTimeout(timer)
    timer = setTimeout(save, 400)
  }, { deep: true })
  const soon = () => timer && void save()
  addEventListener('pagehide', soon)
  document.addEventListener('visibilitychange', soon)

  /** Begins anew: what there was is gone. */
  async function clear() {
    clearTimeout(timer)
    timer = undefined
    await write({ store: 'drafts', key: id }).catch(() => {})
    for (const name of Object.keys(values)) delete (values as Record<string, unknown>)[name]
    Object.assign(values, empty())
    photos.value = []
    resumed.value = false
    await begin()
    isAway = false
  }
  /** It is on its way: nothing writes it down again, unless it comes back. */
  function rest(resting: boolean) {
    clearTimeout(timer)
    timer = undefined
    isAway = resting
  }

  const taken = take()
  onScopeDispose(() => {
    soon()
    release()
    removeEventListener('pagehide', soon)
    document.removeEventListener('visibilitychange', soon)
  })
  return { values, photos, resumed, savedAt, ready, taken, rest, clear, shape }
}
