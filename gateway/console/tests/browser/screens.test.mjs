// Every screen of both entries, at a PC's and a phone's size: nothing that keeps somebody out, nothing to scroll sideways, no error; a picture of each.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, existsSync } from 'node:fs'
import { after, test } from 'node:test'
import { PC, PHONE, Person, as, close } from './lib.mjs'
import { crawl, inspectBoth } from './crawl.mjs'

after(close)

const seen = { console: new Set(), m: new Set() }
const named = (entry, kind) => `${entry}${kind.replace(/[^\w:]+/g, '-').replaceAll(':', '')}` || entry

async function walk(entry, login, starts = ['/'], options = {}) {
  const person = await Person.at(entry === 'm' ? PHONE : PC, login, options)
  for (const start of starts) await crawl(person, seen[entry], (_, kind) => inspectBoth(person, `${named(entry, kind)}-${login}`), start)
  await person.leave()
}

test('signed out', async () => {
  for (const [size, name] of [[PC, 'sign-in'], [PHONE, 'sign-in-m']]) {
    const person = await Person.at(size)
    await person.go('/')
    await person.page.locator('#login').waitFor()
    await inspectBoth(person, name)
    await person.context.close()
  }
})

test('what nobody has made yet is made', async () => {
  const [dispatcher, liaison, enterprise, sysadmin] = await Promise.all(['dispatcher', 'liaison', 'enterprise', 'sysadmin'].map(as))
  const [{ units }, us, them] = await Promise.all([dispatcher('/v1/units'), liaison('/v1/users/me'), enterprise('/v1/users/me')])
  const lasts = days => new Date(Date.now() + days * 86_400_000).toISOString()
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Shanghai' }).format()
  const desks = [{ unit_id: us.unit_id, covers: '消防、物业' }]
  const day = await dispatcher('/v1/serviceDays', { title: '企业服务日', starts_at: `${today}T00:00:00+08:00`, ends_at: `${today}T23:59:59+08:00`, place: '一楼大厅', desks })
  await dispatcher(`/v1/serviceDays/${day.id}:invite`, { enterprise_ids: [them.enterprise_id] })
  await dispatcher(`/v1/serviceDays/${day.id}:publish`, {})
  await liaison(`/v1/serviceDays/${day.id}:take`, { desk: 1, enterprise_id: them.enterprise_id, title: '电梯停运', description: '三号楼电梯停运。', kind: 'HELP', contact_phone: '13900000001' })
  const convener = units.find(unit => unit.id !== us.unit_id).id
  await dispatcher('/v1/discussions', { enterprise_id: them.enterprise_id, topic: '用电增容', convener_unit_id: convener, unit_ids: [us.unit_id], meets_at: lasts(1), place: '会议室' })
  await dispatcher('/v1/directLines', { enterprise_id: them.enterprise_id, contact_id: us.id })
  await enterprise('/v1/directCalls', { text: '食堂能否延长晚餐供应时间？' })
  await sysadmin('/v1/channels', { kind: 'HOTLINE', name: '热线', account_id: them.id })
})

for (const login of ['dispatcher', 'handler', 'leader', 'supervisor', 'enterprise', 'registrar', 'clerk', 'committee', 'secretary', 'sysadmin', 'secadmin', 'auditadmin']) {
  test(`the console, as ${login}`, () => walk('console', login))
}
test('the console, as an operator of the platform', () => walk('console', 'operator', ['/'], { district: '000000' }))
for (const login of ['enterprise', 'handler', 'liaison']) test(`the phone's pages, as ${login}`, () => walk('m', login))

test('pages that no link leads to', async () => {
  const dispatcher = await as('dispatcher')
  const { tickets } = await dispatcher('/v1/tickets?page_size=50')
  const one = tickets[0].id
  await walk('console', 'dispatcher', ['/tickets/new', `/tickets/${one}/print/case`, '/preference', '/nowhere'])
  await walk('m', 'handler', [`/requests/${one}/check-in`, '/outbox', '/nowhere'])
  const mine = (await (await as('enterprise'))('/v1/tickets?page_size=50')).tickets
  await walk('m', 'enterprise', [`/requests/${mine[0].id}/rate`, '/rate'])
})

test('no screen was left out', () => {
  const src = new URL('../../src/', import.meta.url)
  const rooms = readdirSync(src).filter(room => existsSync(new URL(`${room}/pages.ts`, src)) && room !== 'console')
  const paths = rooms.flatMap(room => [...readFileSync(new URL(`${room}/pages.ts`, src), 'utf8').matchAll(/path: '([^']+)'/g)].map(([, path]) => path))
  const matches = (path, kinds) => [...kinds].some(kind => new RegExp(`^/${path.replace(/:\w+/g, '[^/]+')}$`).test(kind))
  assert.deepEqual(paths.filter(path => !matches(path, seen.console)), [])
  const phone = [...readFileSync(new URL('phone/routes.ts', src), 'utf8').matchAll(/\{ path: '([^']+)', title/g)].map(([, path]) => path)
  assert.deepEqual(phone.filter(path => !matches(path, seen.m)), [])
})

test('in English, large, and dark', async () => {
  const person = await Person.at(PC, 'dispatcher')
  await person.page.evaluate(() => (localStorage.setItem('language', 'en'), localStorage.setItem('dark', 'yes')))
  const { tickets } = await (await as('dispatcher'))('/v1/tickets?page_size=1')
  for (const [path, name] of [['/workbench', 'workbench'], ['/tickets?view=all', 'tickets'], [`/tickets/${tickets[0].id}`, 'ticket'], ['/cockpit', 'cockpit'], ['/figures', 'figures']]) {
    await person.go(path)
    await inspectBoth(person, `english-dark-${name}`)
    await person.page.setViewportSize(PC)
    const nav = await person.page.locator('nav').first().innerText().catch(() => '')
    assert.doesNotMatch(nav, /[\u4e00-\u9fff]/, 'the menu speaks English')
  }
  await person.page.evaluate(() => (localStorage.setItem('language', 'zh'), localStorage.setItem('dark', 'no'), localStorage.setItem('large', 'yes')))
  await person.go('/tickets?view=all')
  await person.page.locator('tbody tr').first().waitFor()
  const large = await person.page.locator('tbody td').first().boundingBox()
  await inspectBoth(person, 'large-tickets')
  await person.page.setViewportSize(PC)
  await person.page.evaluate(() => localStorage.setItem('large', 'no'))
  await person.go('/tickets?view=all')
  await person.page.locator('tbody tr').first().waitFor()
  const normal = await person.page.locator('tbody td').first().boundingBox()
  assert.ok(large.height > normal.height * 1.1, `large really is: ${large.height} beside ${normal.height}`)
  await person.leave()
})
