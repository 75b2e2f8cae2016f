// Markup that somebody typed stays text, on every page that shows it.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { PC, PHONE, Person, as, close } from './lib.mjs'
import { crawl } from './crawl.mjs'

after(close)

const MARKUP = `<img src=x onerror="window.broken=1">"'><svg onload=window.broken=1>{{7*7}}`

async function seed() {
  const [enterprise, dispatcher, liaison, handler, registrar, sysadmin, committee, leader] = await Promise.all(['enterprise', 'dispatcher', 'liaison', 'handler', 'registrar', 'sysadmin', 'committee', 'leader'].map(as))
  const me = await handler('/v1/users/me')
  const mine = await enterprise('/v1/users/me')
  const ticket = await enterprise('/v1/tickets', { title: MARKUP, description: MARKUP, kind: 'HELP', place: MARKUP, contact_name: MARKUP.slice(0, 20), contact_phone: '19900001234' })
  const act = (who, verb, body = {}) => who(`/v1/tickets/${ticket.id}:${verb}`, body)
  await act(dispatcher, 'accept', { urgency: 'NORMAL' })
  await act(dispatcher, 'dispatch', { lead_unit_id: me.unit_id, text: MARKUP })
  await act(liaison, 'sign')
  await act(liaison, 'transfer', { handler_id: me.id })
  await act(handler, 'contact', { text: MARKUP })
  await act(leader, 'instruct', { text: MARKUP })
  const { units } = await dispatcher('/v1/units')
  const other = units.find(one => one.id !== me.unit_id && one.active && one.kind === 'BUREAU')
  await act(handler, 'consult', { unit_ids: [other.id], meets_at: new Date(Date.now() + 3_600_000).toISOString(), place: MARKUP, text: MARKUP })
  const code = String(Date.now()).slice(-8)
  const enough = [
    sysadmin('/v1/units', { code: `x${code}`, name: MARKUP, kind: 'BUREAU', parent_id: units.find(one => one.kind === 'DISTRICT')?.id ?? '' }),
    registrar('/v1/enterprises', { name: MARKUP, short_name: MARKUP.slice(0, 30), kind: 'LEGAL', code_state: 'CODE_PENDING' }),
    dispatcher('/v1/discussions', { enterprise_id: mine.enterprise_id, topic: MARKUP, convener_unit_id: units[0].id, unit_ids: [other.id], meets_at: new Date(Date.now() + 86_400_000).toISOString(), place: MARKUP }),
    enterprise('/v1/directCalls', { text: MARKUP }),
    registrar('/v1/zones', { code: `Z${code}`, name: MARKUP.slice(0, 40), area_m2: 1 }),
    committee('/v1/organisations?page_size=1'),
  ]
  const told = await Promise.allSettled(enough)
  return { ticket, refused: told.filter(one => one.status === 'rejected').map(one => one.reason.message) }
}

test('what was typed is shown and never run', async t => {
  const { ticket, refused } = await seed()
  for (const one of refused) t.diagnostic(one)
  const check = async person => {
    await person.settled()
    assert.equal(await person.page.evaluate(() => window.broken), undefined, person.page.url())
    assert.equal(await person.page.locator('img[src="x"]').count(), 0, person.page.url())
  }
  for (const login of ['dispatcher', 'handler', 'registrar', 'sysadmin', 'leader', 'enterprise']) {
    const person = await Person.at(PC, login)
    if (['dispatcher', 'handler', 'leader', 'enterprise'].includes(login)) {
      await person.go(`/tickets/${ticket.id}`)
      await person.see(MARKUP.slice(0, 20))
      await check(person)
    }
    await crawl(person, new Set(), () => check(person), '/', 40)
    await person.context.close()
  }
  for (const login of ['enterprise', 'handler']) {
    const person = await Person.at(PHONE, login)
    await person.go(`/requests/${ticket.id}`)
    await person.see(MARKUP.slice(0, 20))
    await crawl(person, new Set(), () => check(person), '/', 20)
    await person.context.close()
  }
})
