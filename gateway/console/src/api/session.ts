// Who is signed in. Tokens stay with the gateway; a page holds a cookie that no script can read.
import { computed, ref, shallowRef } from 'vue'
import type { Session, Tenant, User } from '../gen/identity'
import { METHODS, type Methods } from '../gen/methods'
import { ROLES } from '../gen/roles'
import { Fault } from './fault'
import { unary } from './http'

export const me = shallowRef<User>()
export const tenant = shallowRef<Tenant>()

const roles = computed(() => [...new Set(me.value?.assignments.map(held => held.role) ?? [])])
const permissions = computed(() => new Set(roles.value.flatMap(role => ROLES[role]?.grants ?? [])))

/** Roles of the person, named in Chinese and English. */
export const myRoles = computed(() => roles.value.map(role => ({ role, ...ROLES[role] })))

/** Whether the person holds a permission. What the server says counts; this only decides what is offered. */
export const may = (permission: string) => permissions.value.has(permission)

/** Whether the person may call an RPC. */
export const mayCall = (name: keyof Methods) => {
  const { permission } = METHODS[name]
  return !permission || may(permission)
}

export const has = (role: string) => roles.value.includes(role as never)

/** The sign-in is shown, over whatever is there: what was typed stays. */
export const asking = ref(false)
let waiting: Promise<boolean> | undefined
let answer: (signedIn: boolean) => void = () => {}

/** The session has ended: asks once for all calls that wait. */
export function signInAgain(): Promise<boolean> {
  if (!me.value) return Promise.resolve(false)
  asking.value = true
  waiting ??= new Promise<boolean>(done => (answer = done)).finally(() => {
    waiting = undefined
    asking.value = false
  })
  return waiting
}

export async function signIn(login: string, password: string): Promise<void> {
  const headers = { 'drumtower-session': 'cookie' }
  const session = (await unary({ name: 'SessionService.CreateSession', request: { login, password }, headers })) as Session
  const other = me.value && session.user && me.value.id !== session.user.id
  me.value = session.user
  tell?.postMessage('in')
  answer(true)
  // Somebody else sits down: nothing of the one before may stay on the page.
  if (other) location.reload()
}

export async function signOut(): Promise<void> {
  try {
    await unary({ name: 'SessionService.DeleteSession', request: {} })
  } catch (error) {
    if (!(error instanceof Fault) || error.status !== 'UNAUTHENTICATED') throw error
  }
  me.value = undefined
  tell?.postMessage('out')
}

/** Who the cookie says it is; nobody when there is none. */
export async function recognise(): Promise<void> {
  try {
    me.value = (await unary({ name: 'UserService.GetMe', request: {} })) as User
  } catch (error) {
    if (!(error instanceof Fault) || error.status !== 'UNAUTHENTICATED') throw error
    me.value = undefined
  }
}

/** Another tab signed in or out: this one follows. Older browsers have no such channel; there the next call asks. */
const tell = 'BroadcastChannel' in globalThis ? new BroadcastChannel('session') : undefined
tell?.addEventListener('message', async ({ data }) => {
  const before = me.value?.id
  if (data === 'in') {
    await recognise().catch(() => {})
    if (before && me.value?.id !== before) location.reload()
    else answer(true)
  } else if (before) asking.value = true
})

export async function loadTenant(): Promise<void> {
  tenant.value = (await unary({ name: 'TenantService.GetTenant', request: {} })) as Tenant
}
