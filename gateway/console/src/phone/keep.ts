// What the phone keeps by itself (IndexedDB): drafts with their photos, what waits to be sent, the handler's own list of today, who is signed in.
// Everything belongs to one person of one district, and goes when they sign out. A browser that keeps nothing gets a memory that lasts as
// long as the page.
import { district } from '../api/place'
import { me } from '../api/session'

export type Store = 'drafts' | 'outbox' | 'kept'
const STORES: Store[] = ['drafts', 'outbox', 'kept']

/** Whose it is: a key begins with it. */
export const owner = () => `${district}|${me.value?.id ?? ''}|`

/** One thing to write, or without a value to take away. Keys are the caller's; the owner stands before them. */
export interface Change {
  store: Store
  key: string
  value?: unknown
}

interface Keeper {
  get(store: Store, key: string): Promise<unknown>
  all(store: Store, prefix: string): Promise<unknown[]>
  write(changes: Change[]): Promise<void>
  drop(prefix: string): Promise<void>
}

const asked = <T>(request: IDBRequest<T>) =>
  new Promise<T>((done, failed) => {
    request.onsuccess = () => done(request.result)
    request.onerror = () => failed(request.error)
  })
const under = (prefix: string) => IDBKeyRange.bound(prefix, `${prefix}\uffff`)

function inDatabase(database: IDBDatabase): Keeper {
  const written = (work: (of: (store: Store) => IDBObjectStore) => void) =>
    new Promise<void>((done, failed) => {
      const transaction = database.transaction(STORES, 'readwrite')
      transaction.oncomplete = () => done()
      transaction.onerror = transaction.onabort = () => failed(transaction.error)
      work(store => transaction.objectStore(store))
    })
  return {
    get: (store, key) => asked(database.transaction(store).objectStore(store).get(key)),
    all: (store, prefix) => asked(database.transaction(store).objectStore(store).getAll(under(prefix))),
    write: changes => written(of => changes.forEach(one => (one.value === undefined ? of(one.store).delete(one.key) : of(one.store).put(one.value, one.key)))),
    drop: prefix => written(of => STORES.forEach(store => of(store).delete(under(prefix)))),
  }
}

function inMemory(): Keeper {
  const kept = new Map<string, unknown>()
  const of = (store: Store, prefix: string) => [...kept.keys()].filter(key => key.startsWith(`${store}/${prefix}`))
  return {
    get: async (store, key) => kept.get(`${store}/${key}`),
    all: async (store, prefix) => of(store, prefix).map(key => kept.get(key)),
    write: async changes => changes.forEach(one => (one.value === undefined ? kept.delete(`${one.store}/${one.key}`) : kept.set(`${one.store}/${one.key}`, one.value))),
    drop: async prefix => STORES.forEach(store => of(store, prefix).forEach(key => kept.delete(key))),
  }
}

let keeper: Promise<Keeper> | undefined
function opened(): Promise<Keeper> {
  keeper ??= new Promise<Keeper>(done => {
    const request = globalThis.indexedDB?.open('drumtower', 1)
    if (!request) return done(inMemory())
    request.onupgradeneeded = () => STORES.forEach(store => request.result.createObjectStore(store))
    request.onsuccess = () => done(inDatabase(request.result))
    request.onerror = () => done(inMemory())
  }).catch(inMemory)
  return keeper
}

export const get = async <T>(store: Store, key: string, of = owner()) => (await (await opened()).get(store, of + key)) as T | undefined
export const all = async <T>(store: Store) => (await (await opened()).all(store, owner())) as T[]
/** All of it or nothing: what moves from one store to another is never in both. */
export const write = async (...changes: Change[]) => (await opened()).write(changes.map(one => ({ ...one, key: owner() + one.key })))
/** Kept for the district, whoever is signed in. */
export const writeForAll = async (key: string, value?: unknown) => (await opened()).write([{ store: 'kept', key: `${district}|` + key, value }])
/** Everything of the person goes. */
export const forget = async (whose = owner()) => (await opened()).drop(whose)
