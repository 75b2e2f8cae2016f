// People at a browser: each with a window of their own, whose errors count.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterEach } from 'node:test'
import net from 'node:net'
import { chromium } from 'playwright-core'

const { BASE, DISTRICT, PASSWORD, OUT, HAND } = process.env
export const root = `${BASE}/t/${DISTRICT}`
export const PC = { width: 1440, height: 900 }
export const PHONE = { width: 390, height: 844 }
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const ARGS = ['--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--force-color-profile=srgb', '--font-render-hinting=none']
let browser
/** One browser for a file's tests. */
export async function open() {
  // As root there is no sandbox to be had.
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: process.getuid?.() === 0 ? ['--no-sandbox', ...ARGS] : ARGS })
  return browser
}
export const close = () => browser?.close()

/** What a page may say on its console though all is well: an answer that the page itself deals with. */
const EXPECTED = /status of (401|403|404|409|412|422|429|503)|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_FAILED/

const people = new Set()
// What everybody saw when a test failed.
afterEach(async t => {
  if (t.passed === false || t.error) for (const [index, page] of [...people].flatMap(({ context }) => context.pages()).entries()) await page.screenshot({ path: `${OUT}/failed-${t.name.replace(/\W+/g, '-').slice(0, 40)}-${index}.png` }).catch(() => {})
  for (const { context } of people) await context.close().catch(() => {})
  people.clear()
})

export class Person {
  static async at(size, login, { district = DISTRICT, password = PASSWORD, ...options } = {}) {
    const context = await (await open()).newContext({ viewport: size, locale: 'zh-CN', timezoneId: 'Asia/Shanghai', hasTouch: size === PHONE, ...options })
    const page = await context.newPage()
    const person = new Person(context, page, size, district)
    page.setDefaultTimeout(20_000)
    page.on('pageerror', error => person.errors.push(String(error)))
    page.on('console', message => message.type() === 'error' && !EXPECTED.test(message.text()) && person.errors.push(`${message.text()} ${message.location().url}`))
    people.add(person)
    if (login) await person.signIn(login, password)
    return person
  }

  constructor(context, page, size, district = DISTRICT) {
    Object.assign(this, { context, page, size, errors: [] })
    this.entry = `${BASE}/t/${district}/${size === PHONE ? 'm' : 'console'}`
  }

  /** As everybody does it: by name and password. */
  async signIn(login, password = PASSWORD) {
    this.login = login
    await this.page.goto(`${this.entry}/`)
    await this.page.fill('#login', login)
    await this.page.fill('#password', password)
    await this.page.getByRole('button', { name: '登录', exact: true }).click()
    await this.page.locator('#login').waitFor({ state: 'detached' })
  }

  go = path => this.page.goto(`${this.entry}${path}`)
  see = (text, options) => this.page.getByText(text, options).first().waitFor()
  press = (name, within = this.page) => within.getByRole('button', { name, exact: true }).first().click()

  /** Types into the field of a label. */
  fill = (label, text, within = this.page) => within.getByLabel(label, { exact: false }).first().fill(text)

  /** Chooses in a kit's select, by its label; where there is little to choose from, it all lies open. */
  async choose(label, option, within = this.page) {
    const box = within.getByLabel(label, { exact: false }).first()
    if ((await box.getAttribute('role')) === 'radiogroup') return box.locator('label', { hasText: option }).first().click()
    // The kit lays its placeholder over the field.
    await box.click({ force: true })
    const filter = box
    if (await filter.evaluate(element => element.tagName === 'INPUT' && !element.readOnly)) await filter.fill(option)
    await this.page.locator('.el-select-dropdown__item:visible', { hasText: option }).first().click()
    await this.page.keyboard.press('Escape').catch(() => {})
  }

  /** Does a verb of a request at a PC: its button, or its place below "more"; then its form. */
  async act(verb, fill = async () => {}) {
    const bar = this.page.locator('article.detail header')
    await bar.getByRole('button', { name: /更多/ }).waitFor()
    const button = bar.getByRole('button', { name: verb, exact: true })
    if (await button.count()) await button.first().click()
    else {
      await bar.getByRole('button', { name: /更多/ }).click()
      await this.page.getByRole('menuitem', { name: verb, exact: true }).click()
    }
    const dialog = this.page.getByRole('dialog').filter({ has: this.page.locator('form') })
    await dialog.waitFor()
    await dialog.locator('form .field, form button[type=submit]').first().waitFor()
    await fill(dialog)
    await dialog.locator('button[type=submit]').click()
    await dialog.waitFor({ state: 'detached' })
  }

  /** Calls as the page does, with its cookie. */
  call = (path, body, method = body ? 'POST' : 'GET') =>
    this.page.evaluate(
      async ([url, body, method]) => {
        const answer = await fetch(url, { method, headers: { 'content-type': 'application/json', ...(method === 'GET' ? {} : { 'idempotency-key': crypto.getRandomValues(new Uint32Array(4)).join('') }) }, ...(body ? { body: JSON.stringify(body) } : {}) })
        const said = await answer.json().catch(() => ({}))
        if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(said)}`)
        return said
      },
      [`${new URL(root).pathname}${path}`, body, method],
    )

  /** Nothing loads any more. A live view keeps the network busy for ever, so it says nothing. */
  async settled() {
    for (let calm = 0; calm < 3; ) {
      await this.page.waitForTimeout(120)
      const busy = await this.page.locator('[aria-busy=true]').count()
      calm = busy ? 0 : calm + 1
    }
  }

  /** A picture, no violation, nothing to scroll sideways, no error. */
  async inspect(name) {
    await this.settled()
    const side = this.size === PHONE ? 'phone' : 'pc'
    mkdirSync(OUT, { recursive: true })
    await this.page.screenshot({ path: `${OUT}/${name}-${side}.png` })
    // Content security policy refuses a script tag; the debugger is no page.
    const client = await this.context.newCDPSession(this.page)
    await client.send('Runtime.evaluate', { expression: axe })
    const rules = `{runOnly:['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}`
    const { result } = await client.send('Runtime.evaluate', { expression: `axe.run(document, ${rules}).then(found => JSON.stringify(found.violations.map(one => [one.id, one.nodes.slice(0, 3).map(node => node.html.slice(0, 160))])))`, awaitPromise: true, returnByValue: true })
    await client.detach()
    assert.equal(result.value, '[]', `${name} on a ${side}: ${result.value}`)
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(wide <= 0, `${name} on a ${side} scrolls ${wide} pixels sideways`)
    assert.deepEqual(this.errors, [], `${name} on a ${side}`)
  }

  leave = async () => {
    assert.deepEqual(this.errors, [], `errors of ${this.login}`)
    await this.context.close()
  }
}

/** Stops or starts the gateway. */
export const gateway = order =>
  new Promise((done, failed) => {
    const [host, port] = HAND.split(':')
    const socket = net.connect(Number(port), host, () => socket.write(`${order}\n`))
    socket.once('data', () => (socket.end(), done()))
    socket.once('error', failed)
  })

/** What only a helper of the test needs: calls as somebody, without pages. */
export async function as(login) {
  const signed = await fetch(`${root}/v1/sessions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ login, password: PASSWORD }) })
  const { access_token } = await signed.json()
  assert.ok(access_token, `${login} signs in`)
  return async (path, body, method = body ? 'POST' : 'GET') => {
    const answer = await fetch(`${root}${path}`, { method, headers: { 'content-type': 'application/json', authorization: `Bearer ${access_token}`, 'idempotency-key': crypto.randomUUID() }, ...(body ? { body: JSON.stringify(body) } : {}) })
    const said = await answer.json().catch(() => ({}))
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${JSON.stringify(said)}`)
    return said
  }
}
