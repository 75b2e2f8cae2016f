// Signing in, and saying which district when the address does not: what both entries ask, each in its own clothes.
import { nextTick, ref, shallowRef, useTemplateRef } from 'vue'
import { Fault } from '../api/fault'
import { me, signIn } from '../api/session'
import { words } from '../words/language'

const w = words({ missing: ['请填写账号和密码', 'Account and password, please'] })

/** The words of the form. */
export const signing = words({
  title: ['登录', 'Sign in'],
  login: ['账号', 'Account'],
  password: ['密码', 'Password'],
  show: ['显示密码', 'Show the password'],
  phone: ['服务电话 {n}', 'Service phone {n}'],
})

/** Its state. The field of the password bears the ref `second`. */
export function useSignIn(over: boolean | undefined) {
  const login = ref(over ? (me.value?.login ?? '') : '')
  const password = ref('')
  const visible = ref(false)
  const sending = ref(false)
  const error = shallowRef<{ message: string; requestId?: string }>()
  const second = useTemplateRef<HTMLInputElement>('second')

  async function send() {
    error.value = undefined
    if (!login.value || !password.value) {
      error.value = { message: w.missing }
      return
    }
    sending.value = true
    try {
      await signIn(login.value.trim(), password.value)
    } catch (failed) {
      if (!(failed instanceof Fault)) throw failed
      error.value = failed
      await nextTick(() => second.value?.select())
    } finally {
      sending.value = false
    }
  }
  return { login, password, visible, sending, error, second, send }
}

/** The words of the question for a district. */
export const choosing = words({
  title: ['请选择所在区', 'Which district?'],
  hint: ['填写六位行政区划代码，例如 350102', 'The six digits of its GB/T 2260 code, for example 350102'],
  code: ['行政区划代码', 'District code'],
  go: ['进入', 'Go'],
})

/** Goes to a district's entry: `console` or `m`. */
export function useDistrict(entry: 'console' | 'm') {
  const code = ref('')
  const go = () => /^\d{6,12}$/.test(code.value) && location.assign(`/t/${code.value}/${entry}/`)
  return { code, go }
}
