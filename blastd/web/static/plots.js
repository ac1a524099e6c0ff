// Statistics of the hits, drawn: identity against length, E-values, coverage, identity.

import { api, count, failed, h, plural, s } from './base.js'
import { captionOf, exports } from './figure.js'
import { niceStep } from './graphic.js'

const W = 460
const H = 250
const L = 48
const B = 214
const R = 448
const T = 12

function frame(title, xLabel, yLabel, describe) {
  const svg = s(
    'svg',
    { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': `${title}. ${describe}` },
    s('line', { class: 'ln', x1: L, x2: R, y1: B, y2: B }),
    s('text', { x: (L + R) / 2, y: H - 6, 'text-anchor': 'middle' }, xLabel),
    s('text', { x: 4, y: T - 2 + 8 }, yLabel),
  )
  const figure = h('figure', { class: 'plot', data: { title } }, h('figcaption', {}, h('h3', {}, title)), svg)
  return [svg, figure]
}
function axisY(svg, max) {
  const step = Math.max(1, niceStep(max, 4))
  const top = Math.max(step, Math.ceil(max / step) * step)
  const y = n => B - (n / top) * (B - T - 14)
  for (let n = step; n <= top; n += step)
    svg.append(
      s('line', { class: 'grid', x1: L, x2: R, y1: y(n), y2: y(n) }),
      s('text', { x: L - 6, y: y(n) + 4, 'text-anchor': 'end' }, n >= 10000 ? `${n / 1000}k` : count(n)),
    )
  return y
}
function bars(title, xLabel, bins, name) {
  const total = bins.reduce((sum, bin) => sum + bin.count, 0)
  const top = bins.reduce((a, b) => (b.count > a.count ? b : a), bins[0])
  const [svg, figure] = frame(title, xLabel, 'hits', `${plural(total, 'hit')}; most are at ${name(top)}.`)
  const y = axisY(svg, Math.max(...bins.map(bin => bin.count), 1))
  const wide = (R - L) / bins.length
  const every = Math.ceil(bins.length / 7)
  bins.forEach((bin, i) => {
    if (bin.count)
      svg.append(
        s(
          'rect',
          { class: 'bar', x: L + i * wide + 1, y: y(bin.count), width: Math.max(1, wide - 2), height: Math.max(0, B - y(bin.count)) },
          s('title', {}, `${name(bin)}: ${plural(bin.count, 'hit')}`),
        ),
      )
    if (i % every === 0) svg.append(s('text', { x: L + i * wide + wide / 2, y: B + 15, 'text-anchor': 'middle' }, name(bin, true)))
  })
  return figure
}
// Bins of one width without gaps: an axis with bins left out is not to scale.
function filled(bins, step = 1) {
  if (!bins.length) return bins
  const counts = new Map(bins.map(bin => [bin.from, bin.count]))
  const [first, last] = [Math.min(...counts.keys()), Math.max(...counts.keys())]
  const wide = Math.max(step, Math.ceil((last - first + 1) / 60) * step)
  const found = []
  for (let from = first; from <= last; from += wide) {
    let n = 0
    for (let at = from; at < from + wide; at += step) n += counts.get(at) ?? 0
    found.push({ from, to: from + wide, count: n })
  }
  return found
}
const percent = (bin, short) => (short ? String(Math.round(bin.from)) : `${Math.round(bin.from)} to ${Math.round(bin.to)} %`)
function exponent(bin, short) {
  const low = bin.from ?? bin.log10
  if (low === null || low === undefined || low <= -180) return short ? '0' : 'E-value below 1e-180'
  return short ? `1e${Math.round(low)}` : `E-value 1e${Math.round(low)} to 1e${Math.round(bin.to ?? low)}`
}
// Bins may come as [{from, to, count}] or as [[from, count]].
const binsOf = list => (list ?? []).map(bin => (Array.isArray(bin) ? { from: bin[0], to: bin[2] ?? bin[0], count: bin[1] } : bin))

function scatter(points) {
  const list = points.map(point => (Array.isArray(point) ? { identity: point[0], length: point[1], count: point[2] ?? 1 } : point))
  const [svg, figure] = frame(
    'Identity and length of the alignments',
    'alignment length',
    '% identity',
    `${plural(
      list.reduce((sum, point) => sum + point.count, 0),
      'alignment',
    )}.`,
  )
  const longest = Math.max(...list.map(point => point.length), 10)
  const lowest = Math.min(...list.map(point => point.identity), 90)
  const floor = Math.max(0, Math.floor(lowest / 10) * 10)
  const x = n => L + (n / longest) * (R - L - 10)
  const y = n => B - ((n - floor) / (100 - floor || 1)) * (B - T - 14)
  for (let n = floor; n <= 100; n += 100 - floor > 50 ? 20 : 10)
    svg.append(
      s('line', { class: 'grid', x1: L, x2: R, y1: y(n), y2: y(n) }),
      s('text', { x: L - 6, y: y(n) + 4, 'text-anchor': 'end' }, n),
    )
  const step = niceStep(longest, 5)
  for (let n = step; n <= longest; n += step) svg.append(s('text', { x: x(n), y: B + 15, 'text-anchor': 'middle' }, count(n)))
  for (const point of list.slice(0, 4000)) {
    svg.append(
      s(
        'circle',
        { class: 'pt bar', cx: x(point.length), cy: y(point.identity), r: Math.min(9, 2 + Math.log2(point.count)) },
        s('title', {}, `${point.identity.toFixed(0)} % over ${count(point.length)}: ${plural(point.count, 'alignment')}`),
      ),
    )
  }
  return figure
}

export function plots(panel, context) {
  const { job, query, many, partial } = context
  let stopped = false
  const values = new URLSearchParams({ ...(query ? { query } : {}), ...(partial ? { partial: 'true' } : {}) })
  panel.replaceChildren(h('p', { class: 'dim' }, 'Loading…'))
  api(`/blast/jobs/${job.job_id}/statistics?${values}`)
    .then(found => {
      if (stopped) return
      const figures = [
        ['hits', 'alignments (HSPs)'],
        ['subjects', 'subjects'],
        ...(query ? [] : [['queries_with_hits', `queries with hits, of ${count(found.queries ?? job.query.count)}`]]),
      ]
      const drawn = []
      if (found.identity_length?.length) drawn.push(scatter(found.identity_length))
      const e = filled(binsOf(found.evalue_histogram))
      if (e.some(bin => bin.count)) drawn.push(bars('E-values', 'E-value', e, exponent))
      const c = filled(binsOf(found.coverage_histogram))
      if (c.some(bin => bin.count)) drawn.push(bars('Query coverage', '% of the query', c, percent))
      const i = filled(binsOf(found.identity_histogram))
      if (i.some(bin => bin.count)) drawn.push(bars('Identity', '% identity', i, percent))
      for (const figure of drawn) {
        const { title } = figure.dataset
        const name = `${job.short_id}-${title.toLowerCase().replace(/\W+/g, '-')}`
        const of = query ? ` of query ${context.queryId ?? query}` : ''
        figure.firstChild.append(exports(() => figure.querySelector('svg'), name, captionOf(job, `${title}${of}.`)))
      }
      panel.replaceChildren(
        h(
          'div',
          { class: 'figures' },
          figures
            .filter(([key]) => found[key] !== undefined && found[key] !== null)
            .map(([key, name]) => h('div', {}, h('b', {}, count(found[key])), h('span', {}, name))),
        ),
        many
          ? h('p', { class: 'dim' }, query ? 'Of this query.' : partial ? 'Of the queries that are done.' : 'Of all queries together.')
          : '',
        drawn.length ? h('div', { class: 'plots' }, drawn) : h('p', { class: 'dim' }, 'There is nothing to draw: no hits.'),
      )
    })
    .catch(error => {
      if (!stopped) {
        failed(error)
        panel.replaceChildren(h('p', { class: 'dim' }, error.message))
      }
    })
  return {
    stop: () => {
      stopped = true
    },
    busy: () => false,
  }
}
