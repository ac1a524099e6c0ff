// The HSPs of one hit as a map: query above, subject below, a band for each; and as a dot plot, both axes to scale.

import { api, count, fixed, h, plural, s } from './base.js'
import { captionOf, exports } from './figure.js'
import { niceStep } from './graphic.js'
import { hit } from './hits.js'

const MOST = 200 // HSPs that are drawn: the best ones
const shade = identity => (identity >= 99 ? 5 : identity >= 95 ? 4 : identity >= 85 ? 3 : identity >= 70 ? 2 : 1)
const what = (part, i) =>
  `Match ${i + 1}: query ${count(part.qStart)}–${count(part.qEnd)}, subject ${count(part.sStart)}–${count(part.sEnd)}, ${fixed(part.identity)} % identity`

// Positions of round steps from 1 to *length*.
export function ticks(length, parts) {
  const step = Math.max(1, niceStep(length, parts))
  const found = [1]
  for (let at = step; at <= length; at += step) if (at > 1) found.push(at)
  return found
}

// Where *length* letters from 1 lie between two places of the picture.
export const scale = (length, from, to) => at => from + ((at - 1) / Math.max(1, length - 1)) * (to - from)

function bands(parts, queryLength, subjectLength, names) {
  const [W, H, L, R] = [900, 150, 90, 888]
  const x = scale(queryLength, L, R)
  const y = scale(subjectLength, L, R)
  const svg = s('svg', {
    viewBox: `0 0 ${W} ${H}`,
    role: 'img',
    'aria-label': `${plural(parts.length, 'match', 'matches')} on query and subject`,
  })
  svg.append(
    s('text', { x: 4, y: 38 }, 'Query'),
    s('text', { x: 4, y: 122 }, 'Subject'),
    s('rect', { class: 'axis', x: L, y: 30, width: R - L, height: 6 }),
    s('rect', { class: 'axis', x: L, y: 114, width: R - L, height: 6 }),
  )
  for (const [length, to, top] of [
    [queryLength, x, 22],
    [subjectLength, y, 138],
  ])
    for (const at of ticks(length, 8)) svg.append(s('text', { x: to(at), y: top, 'text-anchor': at === 1 ? 'start' : 'middle' }, count(at)))
  ;[...parts].reverse().forEach((part, i) => {
    const points = [
      [x(part.qStart), 37],
      [x(part.qEnd), 37],
      [y(part.sEnd), 113],
      [y(part.sStart), 113],
    ]
    svg.append(
      s(
        'polygon',
        { class: `band i${shade(part.identity)}`, points: points.map(point => point.join(',')).join(' ') },
        s('title', {}, what(part, parts.length - 1 - i)),
      ),
    )
  })
  svg.append(s('title', {}, names))
  return svg
}

function dots(parts, queryLength, subjectLength, names) {
  const [W, H, L, R, T, B] = [420, 400, 70, 408, 12, 340]
  const x = scale(queryLength, L, R)
  const y = scale(subjectLength, T, B)
  const svg = s('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': `Dot plot of ${plural(parts.length, 'match', 'matches')}` })
  svg.append(s('rect', { class: 'frame', x: L, y: T, width: R - L, height: B - T }))
  for (const at of ticks(queryLength, 4)) svg.append(s('text', { x: x(at), y: B + 16, 'text-anchor': 'middle' }, count(at)))
  for (const at of ticks(subjectLength, 5)) svg.append(s('text', { x: L - 6, y: y(at) + 4, 'text-anchor': 'end' }, count(at)))
  svg.append(s('text', { x: (L + R) / 2, y: B + 36, 'text-anchor': 'middle' }, 'position in the query'))
  svg.append(s('text', { x: 4, y: H - 8 }, 'down: position in the subject'))
  parts.forEach((part, i) => {
    const place = { x1: x(part.qStart), x2: x(part.qEnd), y1: y(part.sStart), y2: y(part.sEnd) }
    svg.append(s('line', { class: `dot-line i${shade(part.identity)}`, ...place }, s('title', {}, what(part, i))))
  })
  svg.append(s('title', {}, names))
  return svg
}

// A minus strand runs backwards on the subject, or on the query where that is translated.
const oriented = part => {
  const turned = part.qFrame < 0 && part.qStart < part.qEnd
  return turned ? { ...part, qStart: part.qEnd, qEnd: part.qStart } : part
}

export async function hspMap(job, row, signal) {
  const values = new URLSearchParams({ query: row.query, rank: row.rank, limit: String(MOST) })
  const found = await api(`/blast/jobs/${encodeURIComponent(job.job_id)}/hits?${values}`, { signal })
  const parts = found.hits.map(hit).map(oriented)
  if (!parts.length) return ''
  const { queryLength, length, queryId } = parts[0]
  const names = `${queryId} and ${row.subject}`
  const caption = captionOf(
    job,
    `${plural(parts.length, 'match', 'matches')} between ${queryId} (${count(queryLength)} letters) and ${row.subject} (${count(length)} letters), darker with identity.`,
  )
  const figure = (title, svg, kind) =>
    h(
      'figure',
      { class: `plot ${kind}` },
      h(
        'figcaption',
        {},
        title,
        exports(() => svg, `${job.short_id}-${row.subject.replace(/[^\w.-]/g, '_')}-${kind}`, caption),
      ),
      svg,
    )
  return h(
    'div',
    { class: 'maps' },
    figure('Where it matches', bands(parts, queryLength, length, names), 'map'),
    h('details', {}, h('summary', {}, 'Dot plot'), figure('Dot plot', dots(parts, queryLength, length, names), 'dots')),
    found.total > parts.length ? h('p', { class: 'dim' }, `The best ${count(parts.length)} of ${count(found.total)} matches.`) : '',
  )
}
