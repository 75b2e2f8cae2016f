// The main job, as the people who do it: a company asks on its phone, is dispatched at a PC, served on site by phone, signed off, called back, rates.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { PC, PHONE, Person, as, close } from './lib.mjs'

after(close)

test('a request from the phone to its rating, by five people', async t => {
  // Each step stands on the one before: the first that fails ends the story.
  const step = async (name, run) => {
    await run()
    t.diagnostic(name)
  }
  const title = `电梯困人 ${Date.now()}`
  const company = await Person.at(PHONE, 'enterprise')
  let id
  await step('the company asks in three screens', async () => {
    await company.go('/submit')
    await company.page.getByText('求助', { exact: true }).click()
    await company.press('下一步')
    await company.page.fill('#f-title', title)
    await company.page.fill('#f-description', '三号梯困住两人，已通知物业，请派人到场。')
    await company.page.locator('#f-building_id').selectOption({ index: 1 })
    await company.inspect('submit-problem')
    await company.press('下一步')
    await company.see('谁来办')
    await company.inspect('submit-check')
    await company.page.locator('button[type=submit]').last().click()
    await company.see(title)
    await company.page.waitForURL(/\/requests\/[0-9a-f-]+/)
    id = /requests\/([0-9a-f-]{36})/.exec(company.page.url())[1]
  })

  const dispatcher = await Person.at(PC, 'dispatcher')
  const me = await as('handler')
  const unit = (await me('/v1/users/me')).unit_id
  await step('the dispatcher accepts and dispatches it at the desk', async () => {
    await dispatcher.go(`/triage?at=${id}`)
    await dispatcher.see(title)
    const names = await (await as('dispatcher'))('/v1/units')
    const lead = names.units.find(one => one.id === unit).name
    const dialog = dispatcher.page.getByRole('dialog').filter({ has: dispatcher.page.locator('form') })
    await dispatcher.press('受理')
    await dialog.getByText('紧急', { exact: true }).click()
    await dialog.locator('button[type=submit]').click()
    await dialog.waitFor({ state: 'detached' })
    await dispatcher.press('派单')
    await dispatcher.choose('主办单位', lead, dialog)
    await dialog.locator('button[type=submit]').click()
    await dialog.waitFor({ state: 'detached' })
    await dispatcher.go(`/tickets/${id}`)
    await dispatcher.see('待签收')
    await dispatcher.inspect('ticket-dispatched')
  })

  await step('the unit signs and names its handler', async () => {
    const liaison = await Person.at(PC, 'liaison')
    await liaison.go(`/tickets/${id}`)
    await liaison.act('签收')
    const { name } = await me('/v1/users/me')
    await liaison.act('转办', dialog => liaison.choose('经办人', name, dialog))
    await liaison.leave()
  })

  await step('the handler goes there by phone, checks in, and reports', async () => {
    const { buildings } = await me('/v1/buildings?page_size=200')
    const ticket = await me(`/v1/tickets/${id}`)
    const building = buildings.find(one => one.id === ticket.building_id)
    const handler = await Person.at(PHONE, 'handler', { geolocation: { latitude: building.latitude, longitude: building.longitude, accuracy: 12 }, permissions: ['geolocation'] })
    await handler.go(`/requests/${id}`)
    await handler.see(title)
    await handler.inspect('request-handler')
    const does = async (verb, fill) => {
      await handler.page.getByRole('link', { name: verb, exact: true }).or(handler.page.getByRole('button', { name: verb, exact: true })).first().click()
      await fill()
      await handler.page.locator('main button[type=submit]').last().click()
      await handler.page.waitForURL(new RegExp(`/requests/${id}$`))
    }
    await does('联系诉求人', () => handler.page.locator('main textarea').first().fill('已联系，十分钟到场。'))
    await does('出发到场', async () => {})
    await does('到场签到', async () => {
      await handler.page.locator('main svg').first().waitFor()
      await handler.inspect('check-in')
    })
    await does('办结上报', async () => {
      await handler.page.locator('main').getByText('已解决', { exact: true }).click()
      await handler.page.locator('main textarea').first().fill('两人已救出，电梯停用待检。')
    })
    await handler.leave()
  })

  await step('its head signs off, the callback agent asks the company', async () => {
    const lead = await Person.at(PC, 'lead')
    await lead.go(`/tickets/${id}`)
    await lead.act('签发')
    await lead.leave()
    const callback = await Person.at(PC, 'callback')
    await callback.go(`/tickets/${id}`)
    await callback.act('回访', dialog => dialog.getByText('已解决且满意').click())
    await callback.see('已归档')
    await callback.inspect('ticket-archived')
    await callback.leave()
  })

  await step('the company rates it', async () => {
    await company.go(`/requests/${id}/rate`)
    await company.page.locator('main').getByText('非常满意', { exact: true }).first().click()
    await company.inspect('rate')
    await company.page.locator('main button[type=submit]').last().click()
    await company.page.waitForURL(new RegExp(`/requests/${id}$`))
    const rated = await (await as('dispatcher'))(`/v1/tickets/${id}`)
    assert.equal(rated.score, 5)
    assert.equal(rated.state, 'ARCHIVED')
  })
  await company.leave()
  await dispatcher.leave()
})
