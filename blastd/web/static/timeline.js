// Where the time of a job went: one bar a step, on one scale, from the times that the service vouches for.

import { duration, h, phaseWord, words } from './base.js'

const at = text => (text ? Date.parse(text) : null)

export function timeline(job, now = Date.now()) {
  const begin = at(job.created_at)
  const end = at(job.finished_at) ?? Math.max(now, begin)
  const span = Math.max(1, end - begin)
  const rows = []
  const row = (name, from, to, text, kind, className = '') => {
    const known = from !== null && to !== null
    const share = n => `${Math.min(100, Math.max(0, (n / span) * 100))}%`
    rows.push(
      h(
        'div',
        { class: 'tl-row' },
        h('span', { class: className }, name),
        h(
          'span',
          { class: 'track', 'aria-hidden': 'true' },
          known ? h('span', { class: `fill ${kind}`, style: { left: share(from - begin), width: share(to - from) } }) : '',
        ),
        h('span', { class: `num nowrap ${className}` }, text),
      ),
    )
  }
  const steps = job.steps ?? []
  const first =
    steps
      .map(step => at(step.started_at))
      .filter(time => time !== null)
      .sort((a, b) => a - b)[0] ?? null
  const waitEnd = first ?? (job.finished_at ? null : end)
  if (waitEnd !== null && waitEnd - begin > Math.max(20, span * 0.01)) row('Waiting', begin, waitEnd, duration(waitEnd - begin), 'k-wait')
  for (const step of steps) {
    const from = at(step.started_at)
    const to = at(step.ended_at) ?? (step.status === 'running' && from !== null ? end : null)
    if (step.status === 'skipped' && job.finished_at) continue // it took no time, and the methods name it
    if (step.status === 'skipped') {
      row(phaseWord(step.name), null, null, step.skip_reason ? `skipped: ${words(step.skip_reason)}` : 'skipped', '', 'skip-step')
      continue
    }
    const text =
      from !== null && to !== null
        ? duration(step.duration_ms ?? to - from) + (step.ended_at ? '' : ' so far')
        : step.status === 'pending'
          ? 'to come'
          : 'not known'
    row(
      phaseWord(step.name),
      from,
      to,
      text,
      step.status === 'failed' ? 'k-failed' : `k-${step.name}`,
      step.status === 'pending' ? 'skip-step' : '',
    )
    for (const [name, seconds] of Object.entries(step.parts ?? {}))
      row(words(name), from, from === null ? null : from + seconds * 1000, duration(seconds * 1000), 'part-fill', 'part')
  }
  const longest = steps.filter(step => step.duration_ms > 0).sort((a, b) => b.duration_ms - a.duration_ms)[0]
  const summary = `${duration(end - begin)} ${job.finished_at ? 'in total' : 'so far'}${longest && job.finished_at ? `, ${Math.round((longest.duration_ms / span) * 100)} % of it ${phaseWord(longest.name).toLowerCase()}` : ''}`
  return [summary, h('div', { class: 'tl' }, rows)]
}
