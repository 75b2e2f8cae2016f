// What goes wrong around people: no network, an ended session, two windows, a server that restarts. Nothing typed is lost, nothing is done twice.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { PC, PHONE, Person, as, close, gateway } from './lib.mjs'

after(close)

const dispatcher = await as('dispatcher')
async function titled(title) {
  const { tickets } = await dispatcher('/v1/tickets?page_size=200')
  return tickets.filter(one => one.title === title)
}
async function until(holds, what) {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await holds()) return
    await new Promise(done => setTimeout(done, 200))
  }
  assert.fail(what)
}

async function fillPhone(person, title) {
  await person.go('/submit')
  await person.page.getByText('求助', { exact: true }).click()
  await person.press('下一步')
  await person.page.fill('#f-title', title)
  await person.page.fill('#f-description', '没有网络时写下的。')
}

test('sent without a network, it arrives once when there is one', async () => {
  const title = `飞行模式 ${Date.now()}`
  const person = await Person.at(PHONE, 'enterprise')
  await fillPhone(person, title)
  await person.context.setOffline(true)
  await person.press('下一步')
  await person.page.locator('main button[type=submit]').last().click()
  await person.see('待发送')
  await person.inspect('offline')
  // The page is closed and opened anew before there is a network.
  await person.context.setOffline(false)
  await person.go('/requests')
  await until(async () => (await titled(title)).length > 0, 'it never arrived')
  await new Promise(done => setTimeout(done, 3000))
  assert.equal((await titled(title)).length, 1)
  await person.leave()
})

test('a draft is there again after the page was closed', async () => {
  const title = `草稿 ${Date.now()}`
  const person = await Person.at(PHONE, 'enterprise')
  await fillPhone(person, title)
  await person.see('已保存').catch(() => {})
  await person.page.waitForTimeout(1200)
  await person.go('/me')
  await person.go('/submit')
  await until(async () => (await person.page.locator('#f-title').count()) > 0 || ((await person.press('下一步').catch(() => {})), false), 'the second screen')
  assert.equal(await person.page.locator('#f-title').inputValue(), title)
  await person.leave()
})

async function fillNew(person, title) {
  await person.go('/tickets/new')
  await person.page.locator('form .field').first().waitFor()
  await person.fill('标题', title)
  await person.fill('问题描述', '来电登记，请尽快处理。')
  await person.fill('联系人', '王试')
  await person.fill('联系电话', '19900001234')
}

test('the session ends while somebody types: signed in again, it goes on', async () => {
  const title = `登录失效 ${Date.now()}`
  const person = await Person.at(PC, 'dispatcher')
  await fillNew(person, title)
  await person.call('/v1/sessions/current', undefined, 'DELETE')
  await person.press('提交诉求')
  await person.page.locator('#password').waitFor()
  await person.inspect('session-ended')
  await person.page.fill('#login', 'dispatcher')
  await person.page.fill('#password', process.env.PASSWORD)
  await person.page.getByRole('button', { name: '登录', exact: true }).click()
  await person.page.waitForURL(/\/tickets\/[0-9a-f-]{36}/)
  assert.equal((await titled(title)).length, 1)
  await person.leave()
})

test('the gateway restarts while somebody types: what was typed stays, and is sent once', async () => {
  const title = `重启 ${Date.now()}`
  const person = await Person.at(PC, 'dispatcher')
  await fillNew(person, title)
  await gateway('stop')
  await person.press('提交诉求')
  await person.page.locator('.summary').waitFor({ timeout: 30_000 })
  assert.equal(await person.page.getByLabel('标题').inputValue(), title)
  await gateway('start')
  await person.press('提交诉求')
  await person.page.waitForURL(/\/tickets\/[0-9a-f-]{36}/)
  assert.equal((await titled(title)).length, 1)
  await person.leave()
})

test('two windows: the second is told what the first did, and keeps what was typed', async () => {
  const title = `两个窗口 ${Date.now()}`
  const enterprise = await as('enterprise')
  const { id } = await enterprise('/v1/tickets', { title, description: '请处理。', kind: 'HELP' })
  const first = await Person.at(PC, 'dispatcher')
  await first.go(`/tickets/${id}`)
  await first.see(title)
  const page = await first.context.newPage()
  const second = Object.assign(new Person(first.context, page, PC), { login: 'dispatcher' })
  await second.go(`/tickets/${id}`)
  await second.page.locator('article.detail header').getByRole('button', { name: '不予受理', exact: true }).click()
  const dialog = second.page.getByRole('dialog').filter({ has: second.page.locator('form') })
  await second.choose('原因', '不属本区职权', dialog)
  await second.fill('答复诉求人', '请向属地反映', dialog)
  await first.act('受理', form => form.getByText('一般', { exact: true }).click())
  await dialog.locator('button[type=submit]').click()
  await dialog.locator('.summary').waitFor()
  assert.equal(await dialog.getByLabel('答复诉求人').inputValue(), '请向属地反映')
  await first.leave()
})

test('on a slow network, pressing twice submits once', async () => {
  const title = `慢网 ${Date.now()}`
  const person = await Person.at(PC, 'dispatcher')
  await fillNew(person, title)
  const client = await person.context.newCDPSession(person.page)
  await client.send('Network.enable')
  await client.send('Network.emulateNetworkConditions', { offline: false, latency: 1500, downloadThroughput: 20_000, uploadThroughput: 20_000 })
  await person.page.getByRole('button', { name: '提交诉求', exact: true }).dblclick()
  await person.page.waitForURL(/\/tickets\/[0-9a-f-]{36}/, { timeout: 60_000 })
  assert.equal((await titled(title)).length, 1)
  await person.leave()
})

test('a list lives: new requests appear, also after the gateway was away, each once', async () => {
  const enterprise = await as('enterprise')
  const mark = Date.now()
  const submit = n => enterprise('/v1/tickets', { title: `实时 ${mark} ${n}`, description: '请处理。', kind: 'HELP' })
  const person = await Person.at(PC, 'dispatcher')
  await person.go('/tickets?view=all')
  await person.page.locator('tbody tr').first().waitFor()
  await submit(1)
  await person.see(`实时 ${mark} 1`)
  await gateway('stop')
  await new Promise(done => setTimeout(done, 1500))
  await gateway('start')
  await submit(2)
  await submit(3)
  await person.see(`实时 ${mark} 3`, { timeout: 40_000 })
  const rows = await person.page.locator('tbody tr').allInnerTexts()
  for (const n of [1, 2, 3]) assert.equal(rows.filter(row => row.includes(`实时 ${mark} ${n}`)).length, 1)
  await person.leave()
})
