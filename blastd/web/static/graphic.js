// Hits on the query axis, coloured by score as biologists know it: red, magenta, green, blue, black.

import { count, evalue, failed, fixed, h, plural, s, scoreClass } from './base.js'
import { captionOf, exports } from './figure.js'
import { Hits, plainTitle } from './hits.js'

export const CLASSES = [
  ['under 40', 0],
  ['40–50', 1],
  ['50–80', 2],
  ['80–200', 3],
  ['200 and more', 4],
]
const STEP = 100
export const scoreKey = () =>
  h(
    'div',
    { class: 'key' },
    h('span', {}, 'Bit score:'),
    CLASSES.map(([name, i]) => h('span', {}, h('span', { class: `swatch c${i}`, 'aria-hidden': 'true' }), name)),
  )

export function niceStep(span, parts) {
  const raw = span / parts
  const power = 10 ** Math.floor(Math.log10(raw))
  return [1, 2, 5, 10].map(m => m * power).find(step => step >= raw) || 1
}

export function graphic(panel, context) {
  const { job, query, queryLength, partial, openSubject } = context
  const subjects = new Map()
  const box = h('div', { class: 'graphic' })
  const info = h('p', { class: 'dim', role: 'status' }, 'Loading…')
  const button = h(
    'button',
    {
      type: 'button',
      hidden: true,
      on: {
        click: () => {
          shown += STEP
          load()
        },
      },
    },
    `Show ${STEP} more`,
  )
  const caption = captionOf(job, `Hits on the query${context.queryId ? ` ${context.queryId}` : ''}.`)
  panel.replaceChildren(
    h(
      'div',
      { class: 'key-row' },
      scoreKey(),
      exports(() => box.querySelector('svg'), `${job.short_id}-hits`, caption),
    ),
    box,
    info,
    button,
  )
  const hits = new Hits(job.job_id, { query, limit: 500, partial })
  let shown = STEP
  async function load() {
    try {
      while (!hits.done && subjects.size <= shown) {
        for (const row of await hits.next()) {
          const one = subjects.get(row.subject) ?? { ...row, parts: [] }
          one.parts.push(row)
          subjects.set(row.subject, one)
        }
      }
    } catch (error) {
      failed(error)
      info.textContent = error.message ?? ''
      return
    }
    draw()
  }
  function draw() {
    const list = [...subjects.values()].slice(0, shown)
    const length = Math.max(
      queryLength ?? 0,
      ...list.flatMap(one => one.parts.flatMap(part => [part.queryLength ?? 0, part.qStart, part.qEnd])),
      1,
    )
    if (!list.length) {
      box.replaceChildren()
      info.textContent = partial ? 'No hits yet.' : 'No hits to draw.'
      return
    }
    const narrow = box.clientWidth < 560
    const width = narrow ? 480 : Math.max(1000, Math.min(1900, box.clientWidth)) // letters stay letters on wide screens
    const left = narrow ? 4 : 150
    const right = width - 8
    const row = 13
    const top = 42
    const x = position => left + ((position - 1) / Math.max(1, length - 1)) * (right - left)
    const height = top + list.length * row + 6
    const tick = niceStep(length, narrow ? 4 : 8)
    const svg = s('svg', {
      viewBox: `0 0 ${width} ${height}`,
      role: 'group',
      'aria-label': `${plural(list.length, 'subject')} on the query of ${count(length)} letters, best first`,
    })
    for (let at = 0; at <= length; at += tick) {
      const place = x(Math.max(1, at))
      svg.append(
        s('line', { class: 'tick', x1: place, x2: place, y1: top - 8, y2: height }),
        s('text', { x: place, y: 14, 'text-anchor': at === 0 ? 'start' : place > right - 20 ? 'end' : 'middle' }, count(Math.max(1, at))),
      )
    }
    svg.append(s('rect', { class: 'axis', x: left, y: 20, width: right - left, height: 9, rx: 3 }))
    if (!narrow) svg.append(s('text', { x: 0, y: 29 }, 'Query'))
    list.forEach((one, i) => {
      const y = top + i * row
      const from = Math.min(...one.parts.map(part => Math.min(part.qStart, part.qEnd)))
      const to = Math.max(...one.parts.map(part => Math.max(part.qStart, part.qEnd)))
      const text = `${one.subject} ${plainTitle(one)}`.slice(0, 200)
      const best = Math.max(...one.parts.map(part => part.bits))
      const link = s(
        'a',
        { href: `#${encodeURIComponent(one.subject)}` }, // its title is what a screen reader says, too
        s('title', {}, `${text}\n${fixed(best)} bits · E ${evalue(one.evalue)} · ${plural(one.parts.length, 'HSP')}`),
        s('rect', { class: 'hit-bg', x: 0, y: y - 2, width, height: row }),
        narrow ? '' : s('text', { x: left - 8, y: y + 8, 'text-anchor': 'end' }, (one.accession ?? one.subject).slice(0, 19)),
        one.parts.length > 1 ? s('line', { class: 'ln', x1: x(from), x2: x(to), y1: y + 4.5, y2: y + 4.5 }) : '',
      )
      for (const part of [...one.parts].sort((a, b) => a.bits - b.bits)) {
        const a = x(Math.min(part.qStart, part.qEnd))
        link.append(
          s('rect', {
            class: `c${scoreClass(part.bits)}`,
            x: a,
            y,
            width: Math.max(2, x(Math.max(part.qStart, part.qEnd)) - a),
            height: 9,
            rx: 2,
          }),
        )
      }
      link.addEventListener('click', event => {
        event.preventDefault()
        openSubject(one)
      })
      svg.append(link)
    })
    box.replaceChildren(svg)
    const all = hits.done ? subjects.size : null
    info.textContent =
      all !== null && all <= shown
        ? plural(all, 'subject') + (partial ? ' so far' : '')
        : `The best ${count(list.length)} subjects${all ? ` of ${count(all)}` : ''}`
    button.hidden = all !== null && all <= shown
  }
  load()
  return { stop: () => hits.stop(), busy: () => shown > STEP || scrollY > innerHeight }
}
