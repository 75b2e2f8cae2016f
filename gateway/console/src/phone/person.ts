// Who is here, for a start without a network: only what the pages need to know which tabs they have. It goes with the sign-out.
import { me, tenant } from '../api/session'
import type { Tenant, User } from '../gen/identity'
import { district } from '../api/place'
import { forget, get, owner, writeForAll } from './keep'

interface Kept {
  me: User
  tenant: Tenant | undefined
}

/** Remembers who is signed in. Whoever was here before and is not any more, is forgotten with what was theirs alone. */
export async function begin() {
  const before = await get<Kept>('kept', 'person', `${district}|`).catch(() => undefined)
  if (!me.value) return
  if (before && before.me.id !== me.value.id) await forget(`${district}|${before.me.id}|`)
  await writeForAll('person', { me: { ...me.value, phone: '' }, tenant: tenant.value }).catch(() => {})
}

/** Whoever was here before is taken to be here still, until the server is reached. */
export async function known(): Promise<boolean> {
  const before = await get<Kept>('kept', 'person', `${district}|`).catch(() => undefined)
  if (!before) return false
  me.value = before.me
  tenant.value ??= before.tenant
  return true
}

/** Signed out: nothing of the person stays on the phone. */
export async function leave(whose = owner()) {
  await forget(whose)
  await writeForAll('person')
}
