// What happened to a direct call, a service day or a discussion, as a timeline shows it.
import type { OutreachEvent } from '../gen/ticketing'
import { unitName, userName } from '../parts/names'
import type { Entry } from '../parts/Timeline.vue'
import { words } from '../words/language'

const verbs = words({
  create: ['制定计划', 'Planned'],
  invite: ['邀请企业', 'Companies invited'],
  publish: ['发布', 'Published'],
  reply: ['企业回执', 'A company replied'],
  take: ['现场收件', 'A demand was taken'],
  close: ['办结', 'Closed'],
  cancel: ['取消', 'Called off'],
  open: ['发起', 'Opened'],
  answer: ['答复', 'Answered'],
  convert: ['转为诉求', 'Made a request'],
  attend: ['报到', 'Arrived'],
  conclude: ['形成纪要', 'Concluded'],
  finishTask: ['任务完成', 'A task was reported done'],
  confirmTask: ['任务确认', 'A task was looked at'],
  warn: ['时限预警', 'A time warns'],
  breach: ['时限已过', 'A time ran out'],
  reckon: ['重算时限', 'Times reckoned anew'],
  timer: ['系统', 'System'],
})

// Texts that the service writes for itself: a company's id with its reply, a count.
const HIDDEN = new Set(['reply', 'invite'])

/** Newest first. */
export function entries(events: OutreachEvent[]): Entry[] {
  return events.map((event): Entry => ({
    key: `${event.version} ${event.verb} ${event.at}`,
    what: verbs[event.verb as keyof typeof verbs],
    who: [userName(event.actor_id) || (event.actor_id ? '' : verbs.timer), unitName(event.unit_id)].filter(Boolean).join(' · '),
    text: HIDDEN.has(event.verb) ? undefined : event.text,
    at: event.at ?? '',
    quiet: !event.actor_id,
  })).reverse()
}
