// What the hits say of organisms: as a table of organisms or as the tree above them, of all queries or of one.

import { api, count, evalue, h, plural, show, url } from './base.js'

const PAGE = 500
export const EMPTY = { by: '', of: '' }

/** @type {Record<string, [string, string, string][]>} */
const COLUMNS = {
  organism: [
    ['name', 'Organism', ''],
    ['rank', 'Rank', ''],
    ['hits', 'Subjects', 'r'],
    ['queries', 'Queries', 'r'],
    ['hsps', 'Alignments', 'r'],
    ['best_evalue', 'Best E-value', 'r'],
    ['taxid', 'Taxid', 'r'],
    ['lineage', 'Above it', 'lineage'],
  ],
  lineage: [
    ['name', 'Taxon', ''],
    ['rank', 'Rank', ''],
    ['hits', 'Subjects', 'r'],
    ['queries', 'Queries', 'r'],
    ['taxid', 'Taxid', 'r'],
  ],
}
const cells = {
  name: row => h('i', { style: { 'margin-left': `${Math.min(row.depth ?? 0, 40) * 0.8}rem` } }, row.name || `taxid ${row.taxid}`),
  rank: row => row.rank,
  hits: row => count(row.hits),
  queries: row => count(row.queries),
  hsps: row => count(row.hsps),
  best_evalue: row => evalue(row.best_evalue),
  taxid: row => row.taxid,
  lineage: row => row.lineage.slice(-4).join(' › '),
}

export function taxa(panel, context) {
  const { job, many, query, partial } = context
  context.memory.taxa ??= { ...EMPTY }
  const memory = context.memory.taxa
  const stopper = new AbortController()
  let page = 0
  const totals = h('span', { class: 'dim', role: 'status' })
  const save = h('a', { class: 'button small quiet', download: '' }, 'Download as TSV')
  const head = h('tr', { class: 'hhead' })
  const body = h('tbody', {})
  const pager = h('nav', { class: 'pager', 'aria-label': 'Pages of organisms', hidden: true })
  const choice = (name, key, options) =>
    h(
      'div',
      { class: 'f' },
      h('label', { htmlFor: `taxa-${key}` }, name),
      h(
        'select',
        {
          id: `taxa-${key}`,
          on: {
            change: event => {
              memory[key] = event.target.value
              context.changed(true)
              load(0)
            },
          },
        },
        options.map(([value, text]) => h('option', { value, selected: value === memory[key] }, text)),
      ),
    )
  panel.replaceChildren(
    h(
      'div',
      { class: 'toolbar' },
      choice('Show', 'by', [
        ['', 'organisms'],
        ['lineage', 'the tree above them'],
      ]),
      many
        ? choice('Of', 'of', [
            ['', 'all queries'],
            ['one', `query ${query}`],
          ])
        : '',
      h('span', { class: 'spring' }),
      save,
    ),
    h('div', { class: 'totals' }, totals),
    h(
      'div',
      { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': 'Table of organisms' },
      h('table', { class: 'hits taxa' }, h('caption', { class: 'sr' }, 'Organisms of the hits'), h('thead', {}, head), body),
    ),
    pager,
  )
  const by = () => (memory.by === 'lineage' ? 'lineage' : 'organism')
  const values = more =>
    new URLSearchParams({
      by: by(),
      ...(memory.of && query ? { query: String(query) } : {}),
      ...(partial ? { partial: 'true' } : {}),
      ...more,
    })
  async function load(wanted) {
    const path = `/blast/jobs/${job.job_id}/taxonomy`
    save.href = url(`/api${path}?${values({ format: 'tsv', limit: '1000' })}`)
    let found
    try {
      found = await api(`${path}?${values({ limit: String(PAGE), cursor: String(wanted * PAGE) })}`, { signal: stopper.signal })
    } catch (error) {
      if (error.name !== 'AbortError') totals.textContent = error.message
      return
    }
    page = wanted
    const columns = COLUMNS[by()]
    const rows = by() === 'organism' ? found.organisms : found.taxa
    totals.textContent = [
      by() === 'organism' ? plural(found.total, 'organism') : plural(found.total, 'taxon', 'taxa'),
      found.unassigned ? `${plural(found.unassigned, 'subject')} of no known organism` : '',
    ]
      .filter(Boolean)
      .join(' · ')
    head.replaceChildren(...columns.map(([key, name, side]) => h('th', { scope: 'col', class: side, data: { key } }, name)))
    body.replaceChildren(
      ...rows.map(row =>
        h(
          'tr',
          { class: 'hrow' },
          columns.map(([key, , side]) => h(key === 'name' ? 'th' : 'td', { class: side, data: { key } }, cells[key](row))),
        ),
      ),
    )
    show(pager, found.total > PAGE)
    pager.replaceChildren(
      h('button', { type: 'button', disabled: page === 0, on: { click: () => load(page - 1) } }, '‹ Previous'),
      h('span', { class: 'num' }, `${count(page * PAGE + 1)}–${count(page * PAGE + rows.length)} of ${count(found.total)}`),
      h('button', { type: 'button', disabled: !found.page.has_more, on: { click: () => load(page + 1) } }, 'Next ›'),
    )
  }
  load(0)
  return { stop: () => stopper.abort(), busy: () => page > 0 }
}
