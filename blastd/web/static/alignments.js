// Pairwise alignments, loaded as one scrolls: 60 columns a line, with coordinates, matches and frames.

import { count, evalue, failed, fixed, h, plural, scoreClass } from './base.js'
import { Hits, plainTitle } from './hits.js'

const POSITIVE = new Set(
  `${'AS RQ RK ND NH NS NB DE DB DZ QE QK QZ EK EB EZ HY IL IM IV LM LV KZ MV FW FY ST WY BZ'}`
    .split(' ')
    .flatMap(pair => [pair, pair[1] + pair[0]]),
)
const COLUMNS = 60

export function midline(query, subject, protein, positives) {
  let line = ''
  for (let i = 0; i < query.length; i += 1) {
    const [a, b] = [query[i].toUpperCase(), subject[i]?.toUpperCase()]
    if (a === b && a !== '-') line += protein ? a : '|'
    else line += protein && positives && POSITIVE.has(a + b) ? '+' : ' '
  }
  return line
}
const residues = text => text.length - (text.match(/-/g)?.length ?? 0)

// Lines of an alignment; a step of 3 where a side was translated, a negative one on a minus strand.
export function blocks(row, program, positives) {
  const protein = program !== 'blastn'
  const qStep = (row.qStart > row.qEnd ? -1 : 1) * (program === 'blastx' || program === 'tblastx' ? 3 : 1)
  const sStep = (row.sStart > row.sEnd ? -1 : 1) * (program === 'tblastn' || program === 'tblastx' ? 3 : 1)
  const marks = midline(row.qSeq, row.sSeq, protein, positives)
  const width = String(Math.max(row.qStart, row.qEnd, row.sStart, row.sEnd)).length
  const found = []
  let [q, t] = [row.qStart, row.sStart]
  for (let at = 0; at < row.qSeq.length; at += COLUMNS) {
    const [a, b] = [row.qSeq.slice(at, at + COLUMNS), row.sSeq.slice(at, at + COLUMNS)]
    const side = (name, text, from, step) => {
      const n = residues(text)
      const end = n ? from + step * n - Math.sign(step) : from - Math.sign(step)
      return [`${name}  ${String(n ? from : end).padEnd(width)}  ${text}  ${end}`, from + step * n]
    }
    const [first, nextQ] = side('Query', a, q, qStep)
    const [last, nextS] = side('Sbjct', b, t, sStep)
    found.push(`${first}\n${' '.repeat(9 + width)}${marks.slice(at, at + COLUMNS)}\n${last}`)
    ;[q, t] = [nextQ, nextS]
  }
  return found.join('\n\n')
}

function facts(row, program) {
  const list = [
    ['Score', `${fixed(row.bits)} bits${row.score === null ? '' : ` (${count(row.score)})`}`],
    ['E-value', evalue(row.evalue)],
    ['Identity', `${fixed(row.identity)} %${row.alignment ? ` over ${count(row.alignment)}` : ''}`],
  ]
  if (row.positives !== null && program !== 'blastn')
    list.push([
      'Positives',
      row.positives <= 100 && !Number.isInteger(row.positives) ? `${fixed(row.positives)} %` : count(row.positives),
    ])
  if (row.gaps !== null) list.push(['Gaps', count(row.gaps)])
  if (program === 'blastn') list.push(['Strand', `plus / ${row.sStart > row.sEnd ? 'minus' : 'plus'}`])
  const sign = n => (n > 0 ? `+${n}` : String(n))
  if (program === 'blastx' || program === 'tblastx') list.push(['Query frame', sign(row.qFrame)])
  if (program === 'tblastn' || program === 'tblastx') list.push(['Subject frame', sign(row.sFrame)])
  return h(
    'div',
    { class: 'hsp-facts' },
    list.map(([name, value]) => h('span', {}, `${name} `, h('b', {}, value))),
  )
}

export function alignments(panel, context) {
  const { job, query, partial } = context
  const only = context.subject
  const box = h('div', {})
  const info = h('p', { class: 'dim', role: 'status' }, 'Loading…')
  const end = h('div', {})
  const lead = only
    ? h(
        'p',
        { class: 'note' },
        'Only ',
        h('code', {}, only),
        '. ',
        h(
          'button',
          { type: 'button', class: 'quiet small', on: { click: () => context.openSubject(null) } },
          'Show all alignments',
        ),
      )
    : ''
  panel.replaceChildren(h('div', {}, lead), box, info, end)
  const hits = new Hits(job.job_id, { query, q: only ?? '', sequences: true, limit: 40, partial })
  const positives = !job.search?.options?.matrix || /^blosum62$/i.test(job.search.options.matrix)
  let last = null
  let seen = 0
  let stopped = false
  const more = async () => {
    if (hits.done || hits.loading || stopped) return
    let rows
    try {
      rows = await hits.next()
    } catch (error) {
      if (error.name !== 'AbortError') {
        failed(error)
        info.textContent = error.message
      }
      return
    }
    for (const row of rows) {
      if (only && row.subject !== only) continue
      seen += 1
      if (!last || last.row.subject !== row.subject || last.row.query !== row.query) {
        const element = h(
          'article',
          { class: 'aln', id: `hit-${seen}` },
          h(
            'h3',
            {},
            h('span', { class: `swatch c${scoreClass(row.bits)}`, 'aria-hidden': 'true' }),
            h('code', {}, row.subject),
            ` ${plainTitle(row)}`,
          ),
          h(
            'p',
            { class: 'dim' },
            [
              row.length ? `Length ${count(row.length)}` : '',
              row.names.join(', '),
              context.many && !query ? `Query ${row.queryId}` : '',
            ]
              .filter(Boolean)
              .join(' · '),
          ),
        )
        box.append(element)
        last = { row, element, n: 0 }
      }
      last.n += 1
      last.element.append(
        h(
          'div',
          { class: 'hsp' },
          last.n > 1 ? h('p', { class: 'dim' }, `Match ${last.n}`) : '',
          facts(row, job.program),
          row.qSeq && row.sSeq
            ? h(
                'pre',
                { tabIndex: 0, role: 'region', 'aria-label': `Alignment with ${row.subject}, match ${last.n}` },
                h('code', {}, blocks(row, job.program, positives)),
              )
            : h(
                'p',
                { class: 'dim' },
                `Query ${count(row.qStart)}–${count(row.qEnd)}, subject ${count(row.sStart)}–${count(row.sEnd)}`,
              ),
        ),
      )
    }
    info.textContent =
      !seen && hits.done
        ? partial
          ? 'No alignments yet.'
          : 'No alignments.'
        : hits.done
          ? `End: ${plural(seen, 'alignment')}`
          : `${count(seen)}${hits.total && !only ? ` of ${count(hits.total)}` : ''} alignments; scroll for more`
    if (!hits.done && end.getBoundingClientRect().top < innerHeight * 2) requestAnimationFrame(more)
  }
  const watcher = new IntersectionObserver(
    entries => {
      if (entries.some(entry => entry.isIntersecting)) more()
    },
    { rootMargin: '1200px' },
  )
  watcher.observe(end)
  return {
    stop: () => {
      stopped = true
      watcher.disconnect()
      hits.stop()
    },
    busy: () => true,
  }
}
