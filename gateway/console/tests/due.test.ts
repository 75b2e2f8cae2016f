import { describe, expect, it } from 'vitest'
import { due } from '../src/parts/due'

const at = (minutes: number) => new Date(Date.UTC(2026, 10, 24, 9, minutes)).toISOString()
const now = Date.parse(at(0))

describe('a promised time', () => {
  it('says what is left, and how much of it is gone', () => {
    expect(due({ dueAt: at(60), startedAt: at(-60), warnsAt: [at(50)] }, now)).toEqual({ text: '剩余 1小时0分', tone: '', paused: false, share: 50 })
  })
  it('warns from its last warning on', () => {
    expect(due({ dueAt: at(60), warnsAt: [at(-30), at(0)] }, now).tone).toBe('warn')
  })
  it('is late at its end, not a second later', () => {
    expect(due({ dueAt: at(0) }, now).tone).toBe('bad')
    expect(due({ dueAt: at(-61) }, now).text).toBe('超时 1小时1分')
  })
  it('goes by when it stopped, not by now', () => {
    expect(due({ dueAt: at(10), stoppedAt: at(9) }, now + 1e9).tone).toBe('ok')
    expect(due({ dueAt: at(10), stoppedAt: at(11) }, now).tone).toBe('bad')
  })
  it('stands still while it is paused, even past its end', () => {
    expect(due({ dueAt: at(-10), paused: true }, now)).toMatchObject({ tone: '', paused: true })
  })
})
