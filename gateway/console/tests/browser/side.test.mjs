// What goes another way: a return and its arbitration, a consultation, a bad rating put right, an import, a rule tried and published, an obligation waived, a password changed.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PC, PHONE, Person, as, close } from './lib.mjs'

after(close)

let enterprise, dispatcher, liaison, handler, lead, callback, unit, others
before(async () => {
  ;[enterprise, dispatcher, liaison, handler, lead, callback] = await Promise.all(['enterprise', 'dispatcher', 'liaison', 'handler', 'lead', 'callback'].map(as))
  unit = (await liaison('/v1/users/me')).unit_id
  others = (await dispatcher('/v1/units')).units.filter(one => one.id !== unit && ['BUREAU', 'STREET'].includes(one.kind) && one.active)
})

const submit = (title, more = {}) => enterprise('/v1/tickets', { title, description: '请协调处理。', kind: 'HELP', ...more })
const verb = (who, ticket, name, body = {}) => who(`/v1/tickets/${ticket.id}:${name}`, body)
async function dispatched(title) {
  const ticket = await submit(title)
  await verb(dispatcher, ticket, 'accept', { urgency: 'NORMAL' })
  await verb(dispatcher, ticket, 'dispatch', { lead_unit_id: unit })
  return ticket
}

test('a unit returns a request as often as it may, then an arbiter decides', async () => {
  const ticket = await dispatched(`跨部门的事 ${Date.now()}`)
  const unitPerson = await Person.at(PC, 'liaison')
  const desk = await Person.at(PC, 'dispatcher')
  for (let times = 1; times <= 2; times += 1) {
    await unitPerson.go(`/tickets/${ticket.id}`)
    await unitPerson.act('退单', async dialog => {
      await unitPerson.fill('依据', '职责清单第三条', dialog)
      await unitPerson.choose('建议改派单位', others[0].name, dialog)
    })
    await unitPerson.see(`退单 ${times} 次`)
    if (times === 2) break
    await desk.go(`/tickets/${ticket.id}`)
    await desk.act('派单', dialog => desk.choose('主办单位', '市场监', dialog))
  }
  // As often as it may be: the dispatcher is told who decides, and what was chosen stays in the form.
  await desk.go(`/tickets/${ticket.id}`)
  await desk.page.locator('article.detail header').getByRole('button', { name: '派单', exact: true }).click()
  const dialog = desk.page.getByRole('dialog').filter({ has: desk.page.locator('form') })
  await desk.choose('主办单位', others[0].name, dialog)
  await dialog.locator('button[type=submit]').click()
  await desk.see('仲裁员')
  await desk.inspect('arbitration-needed')
  await desk.leave()
  const arbiter = await Person.at(PC, 'arbiter')
  await arbiter.go(`/tickets/${ticket.id}`)
  await arbiter.act('派单', form => arbiter.choose('主办单位', '市场监', form))
  await arbiter.leave()
  // What was decided holds: no further return.
  await unitPerson.go(`/tickets/${ticket.id}`)
  await assert.rejects(verb(liaison, ticket, 'return', { clause: '职责清单第三条', suggested_unit_id: others[0].id }), /ARBITRATED/)
  await unitPerson.leave()
})

test('units are called together, and what they decide becomes tasks', async () => {
  const ticket = await dispatched(`需要会商 ${Date.now()}`)
  const { id } = await handler('/v1/users/me')
  await verb(liaison, ticket, 'sign')
  await verb(liaison, ticket, 'transfer', { handler_id: id })
  const person = await Person.at(PC, 'handler')
  await person.go(`/tickets/${ticket.id}`)
  const meets = new Date(Date.now() + 3_600_000 + 8 * 3_600_000).toISOString().slice(0, 16).replace('T', ' ')
  await person.act('发起会商', async dialog => {
    await person.choose('参加单位', others[0].name, dialog)
    const when = dialog.getByLabel('会商时间')
    await when.fill(meets)
    await when.press('Enter')
    await person.fill('地点', '园区二楼会议室', dialog)
    await person.fill('会商议题', '共商漏水处置', dialog)
  })
  await person.see('尚未报到')
  await person.inspect('consultation')
  await person.act('会商办结', async dialog => {
    await person.fill('会议纪要', '由市场监管局牵头修复。', dialog)
    await dialog.getByRole('button', { name: /增加一项/ }).click()
    await person.choose('单位', '市场监', dialog)
    await person.fill('说明', '三日内修复', dialog)
    const due = dialog.getByLabel('完成期限')
    await due.fill(new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10) + ' 18:00')
    await due.press('Enter')
  })
  await person.see('三日内修复')
  await person.inspect('consultation-concluded')
  await person.leave()
})

test('a bad rating is verified, put right, and rated once more', async () => {
  const ticket = await dispatched(`办得不好 ${Date.now()}`)
  const { id } = await handler('/v1/users/me')
  await verb(liaison, ticket, 'sign')
  await verb(liaison, ticket, 'transfer', { handler_id: id })
  await verb(handler, ticket, 'contact', { text: '已联系' })
  await verb(handler, ticket, 'reportDone', { result: 'RESOLVED', text: '已处理' })
  await verb(lead, ticket, 'signOff', { text: '同意' })
  await verb(callback, ticket, 'callBack', { outcome: 'SATISFIED', text: '满意' })
  await verb(enterprise, ticket, 'rate', { score: 1, tags: ['UNSOLVED'], text: '又坏了' })

  const checker = await Person.at(PC, 'callback')
  await checker.go(`/tickets/${ticket.id}`)
  await checker.act('核实差评', async dialog => {
    await dialog.locator('.el-switch').first().click()
    await checker.fill('说明', '现场确实复发', dialog)
  })
  await checker.see('整改中')
  await checker.leave()
  const mender = await Person.at(PC, 'handler')
  await mender.go(`/tickets/${ticket.id}`)
  await mender.act('反馈整改', dialog => mender.fill('整改情况', '已更换部件并回访确认', dialog))
  await mender.see('已更换部件并回访确认')
  await mender.inspect('rating-case')
  await mender.leave()
  const rater = await Person.at(PC, 'enterprise')
  await rater.go(`/tickets/${ticket.id}`)
  await rater.act('追评', async dialog => {
    const score = dialog.getByLabel('评分')
    await score.fill('4')
    await rater.fill('说明', '这次好了', dialog)
  })
  await rater.see('追评 4 分')
  await rater.leave()
  const after = await dispatcher(`/v1/tickets/${ticket.id}`)
  assert.deepEqual([after.score, after.rating_case.follow_up], [1, 4])
})

/** A credit code that checks (GB 32100-2015, around an organisation code by GB 11714-1997), of a company that is not there. */
function creditCode() {
  const own = `MA${String(Date.now()).slice(-6)}`
  const sum = [...own].reduce((sum, letter, at) => sum + parseInt(letter, 36) * [3, 7, 9, 10, 5, 8, 4, 2][at], 0)
  const body = `91350103${own}${'0123456789X'[(11 - (sum % 11)) % 11]}`
  const letters = '0123456789ABCDEFGHJKLMNPQRTUWXY'
  const whole = [...body].reduce((sum, letter, at) => sum + letters.indexOf(letter) * (3 ** at % 31), 0)
  return body + letters[(31 - (whole % 31)) % 31]
}

test('companies are imported: what is wrong is shown by row before anything is written', async t => {
  const person = await Person.at(PC, 'registrar')
  await person.go('/imports')
  const [sheet] = await Promise.all([person.page.waitForEvent('download'), person.press('下载模板')])
  assert.match(sheet.suggestedFilename(), /\.xlsx$/)
  const name = `测试${Date.now()}网络科技有限公司`
  const file = `${mkdtempSync(join(tmpdir(), 'drumtower-import-'))}/companies.csv`
  t.after(() => rmSync(dirname(file), { recursive: true, force: true }))
  writeFileSync(file, `uscc,name,kind,status\n${creditCode()},${name},LEGAL,OPERATING\n913501030000000000,校验码错误有限公司,LEGAL,OPERATING\n`)
  await person.page.locator('input[type=file]').setInputFiles(file)
  await person.see('预检结果')
  await person.see('校验码错误有限公司').catch(() => person.see('被拒绝的行'))
  await person.inspect('import-report')
  await person.page.getByRole('button', { name: /确认导入/ }).click()
  await person.see('导入结果')
  const { enterprises } = await (await as('registrar'))(`/v1/enterprises?query=${encodeURIComponent(name)}`)
  assert.equal(enterprises.length, 1)
  await person.leave()
})

test('rules of dispatch are tried on past requests and published', async () => {
  const person = await Person.at(PC, 'sysadmin')
  await person.go('/settings/dispatch_rules')
  await person.press('起草新版本')
  await person.page.getByRole('button', { name: /增加一条/ }).first().click()
  const dialog = person.page.getByRole('dialog').filter({ has: person.page.locator('form') })
  await dialog.locator('.field').first().waitFor()
  await person.fill('规则', `电梯 ${Date.now()}`, dialog).catch(() => person.fill('名称', `电梯 ${Date.now()}`, dialog))
  await person.fill('依据', '特种设备安全法', dialog)
  await person.fill('关键词', '电梯', dialog)
  await person.choose('主办单位', '市场监', dialog)
  await dialog.locator('button[type=submit]').click()
  await dialog.waitFor({ state: 'detached' })
  await person.press('试算')
  await person.see('参与试算')
  await person.inspect('rules-tried')
  await person.press('发布')
  await person.page.getByRole('button', { name: /^(确定|发布)$/ }).last().click()
  await person.see(/已发布第 \d+ 版/)
  await person.leave()
})

test('a committee waives an obligation, with its reason', async () => {
  const committee = await as('committee')
  const { obligations } = await committee('/v1/obligations?page_size=200')
  const owed = obligations.find(one => ['OPEN', 'OVERDUE'].includes(one.state))
  assert.ok(owed, 'somebody owes something')
  const person = await Person.at(PC, 'committee')
  await person.go(`/obligations/${owed.id}`)
  await person.press('免除')
  const dialog = person.page.getByRole('dialog').filter({ has: person.page.locator('form') })
  await dialog.locator('.field').first().waitFor()
  await dialog.locator('textarea').first().fill('支部筹建中，本季度免除')
  const until = dialog.getByLabel('免除至')
  await until.fill(new Date(Date.now() + 40 * 86_400_000).toISOString().slice(0, 10))
  await until.press('Enter')
  await dialog.locator('button[type=submit]').click()
  await person.see('已免除')
  await person.inspect('obligation-waived')
  await person.leave()
})

test('a password is changed at a PC and on a phone, and reset by an administrator', async () => {
  const sysadmin = await as('sysadmin')
  const login = `p${Date.now()}`
  const { id } = await sysadmin('/v1/users', { login, name: '换密码', password: process.env.PASSWORD, unit_id: unit })
  const [first, second, third] = ['Changed-at-a-PC-1', 'Changed-on-a-phone-2', 'Reset-for-them-3']
  const pc = await Person.at(PC, login)
  await pc.go('/preference')
  await pc.press('修改密码')
  const dialog = pc.page.getByRole('dialog')
  await pc.fill('当前密码', 'not-the-password', dialog)
  await pc.fill('新密码', first, dialog)
  await dialog.locator('button[type=submit]').click()
  await pc.see('当前密码不正确')
  await pc.fill('当前密码', process.env.PASSWORD, dialog)
  await dialog.locator('button[type=submit]').click()
  await dialog.waitFor({ state: 'detached' })
  await pc.leave()
  const phone = await Person.at(PHONE, login, { password: first })
  await phone.go('/me')
  await phone.page.getByRole('link', { name: '修改密码' }).click()
  await phone.fill('当前密码', first)
  await phone.fill('新密码', second)
  await phone.inspect('password')
  await phone.press('修改密码')
  await phone.see('密码已修改')
  await phone.leave()
  const admin = await Person.at(PC, 'sysadmin')
  await admin.go(`/users/${id}`)
  await admin.press('重置密码')
  const form = admin.page.getByRole('dialog')
  await admin.fill('新密码', third, form)
  await form.locator('button[type=submit]').click()
  await form.waitFor({ state: 'detached' })
  await admin.leave()
  const again = await Person.at(PC, login, { password: third })
  await again.leave()
})
