import { describe, expect, it } from 'vitest'
import { Fault } from '../src/api/fault'
import { attempt, drain, isReclaimable, KEY_LASTS, weigh, type Wish, type World } from '../src/phone/outbox'

const wish = (id: string, more: Partial<Wish> = {}): Wish => ({ id, rpc: 'TicketService.CreateTicket', request: { title: id }, key: `key-${id}`, label: id, photos: [], at: 0, tries: 0, ...more })
const draft = { id: 'd', form: 'submit', values: {}, photos: [], savedAt: 0 }

/** A server that remembers keys, and a line that can break before or after it heard. */
function world(wishes: Wish[]) {
  const outbox = new Map(wishes.map(one => [one.id, one]))
  const drafts: string[] = []
  const heard = new Map<string, number>()
  const line: ('ok' | 'before' | 'after' | Fault)[] = []
  let now = 0
  const made: World = {
    load: async () => [...outbox.values()],
    save: async one => void outbox.set(one.id, one),
    remove: async (one, back) => {
      outbox.delete(one.id)
      if (back && one.draft) drafts.push(one.draft.id)
    },
    now: () => now,
    send: async one => {
      const how = line.shift() ?? 'ok'
      if (how instanceof Fault) throw how
      if (how === 'before') throw new Fault('UNREACHED', '')
      if (!heard.has(one.key)) heard.set(one.key, heard.size + 1)
      if (how === 'after') throw new Fault('UNREACHED', '')
      return { number: heard.get(one.key) }
    },
  }
  return { made, outbox, drafts, heard, line, pass: (time: number) => (now += time) }
}

describe('the outbox', () => {
  it('makes one request of one wish, however often the line breaks', async () => {
    const { made, outbox, heard, line } = world([wish('a')])
    line.push('before', 'after', 'after')
    for (let n = 0; n < 3; n++) expect(await drain(made)).toBe(0)
    expect(outbox.get('a')?.tries).toBe(3)
    expect(await drain(made)).toBe(1)
    expect([heard.size, outbox.size]).toEqual([1, 0])
  })

  it('keeps the order and stops where the server is not reached', async () => {
    const { made, outbox, heard, line } = world([wish('later', { at: 2 }), wish('first', { at: 1 })])
    line.push('ok', 'before')
    expect(await drain(made)).toBe(1)
    expect([...heard.keys()]).toEqual(['key-first'])
    expect([...outbox.keys()]).toEqual(['later'])
  })

  it('gives a refusal back to the form that waits, and keeps a later one with its reason', async () => {
    const no = new Fault('INVALID_ARGUMENT', 'no', { reason: 'REQUIRED', requestId: 'r' })
    const inForm = world([wish('a', { draft })])
    inForm.line.push(no)
    expect(await attempt(wish('a', { draft }), inForm.made, true)).toEqual({ refused: no })
    expect([inForm.drafts, inForm.outbox.size]).toEqual([['d'], 0])
    const later = world([wish('a', { draft }), wish('b', { at: 1 })])
    later.line.push(no)
    expect(await drain(later.made)).toBe(1)
    expect(later.outbox.get('a')?.fault).toEqual({ message: 'no', reason: 'REQUIRED', requestId: 'r' })
    expect(later.drafts).toEqual([])
    expect(await drain(later.made)).toBe(0)
  })

  it('does not send by itself what was tried before keys are forgotten', async () => {
    const { made, outbox, heard, line, pass } = world([wish('a')])
    line.push('after')
    await drain(made)
    pass(KEY_LASTS + 1)
    await drain(made)
    // Tried at 0, which is a time like any other.
    expect([heard.size, outbox.get('a')?.fault?.reason]).toEqual([1, 'KEY_EXPIRED'])
  })

  it('knows what a fault means', () => {
    const fault = (status: string, reason = '') => new Fault(status, '', { reason })
    expect(weigh(fault('UNREACHED'), wish('a'))).toBe('waits')
    expect(weigh(fault('UNAUTHENTICATED'), wish('a'))).toBe('waits')
    expect(weigh(fault('FAILED_PRECONDITION', 'NOT_READY'), wish('a'))).toBe('waits')
    expect(weigh(fault('FAILED_PRECONDITION', 'ALREADY_CHECKED_IN'), wish('a', { tries: 1 }))).toBe('refused')
    expect(weigh(fault('FAILED_PRECONDITION', 'ALREADY_CHECKED_IN'), wish('a', { tries: 2 }))).toBe('done')
    expect(weigh(fault('PERMISSION_DENIED'), wish('a'))).toBe('refused')
  })

  it('gives back for changes only what cannot have arrived', () => {
    const fault = { message: '', reason: 'REQUIRED', requestId: '' }
    expect(isReclaimable(wish('a', { draft }))).toBe(true)
    expect(isReclaimable(wish('a', { draft, tries: 1 }))).toBe(false)
    expect(isReclaimable(wish('a', { draft, tries: 1, fault }))).toBe(true)
    expect(isReclaimable(wish('a', { draft, tries: 1, fault: { ...fault, reason: 'KEY_EXPIRED' } }))).toBe(false)
  })
})
