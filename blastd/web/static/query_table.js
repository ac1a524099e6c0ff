// One row a query: its best hit, how good that is, and what to look after. Sorted, filtered and paged by the service.

import { announce, api, byLink, count, debounce, evalue, fixed, h, plural, s, show, url } from './base.js'
import { chosenRule } from './answer.js'

const PAGE = 500
export const EMPTY = { q: '', verdict: '', limit_reached: '', warned: '', sort: '', order: '' }
const FILTERS = ['q', 'verdict', 'limit_reached', 'warned']
/** @type {[string, Record<string, string>, string | null][]} */
const CHIPS = [
  ['All', {}, 'queries'],
  ['Good hit', { verdict: 'good' }, 'good'],
  ['Weaker hit', { verdict: 'weaker' }, 'weaker'],
  ['No hit', { verdict: 'none' }, 'none'],
  ['Limit reached', { limit_reached: 'true' }, 'limit_reached'],
  ['With remarks', { warned: 'true' }, null],
]

// Where the best hit lies on its query.
function where(row) {
  const svg = s('svg', { class: 'where', viewBox: '0 0 120 10', 'aria-hidden': 'true', focusable: 'false' })
  svg.append(s('line', { x1: 0, x2: 120, y1: 5, y2: 5, class: 'ln' }))
  for (const [a, b] of row.best?.spans ?? []) {
    const x = ((Math.min(a, b) - 1) / row.length) * 120
    svg.append(s('rect', { x, y: 1, height: 8, width: Math.max(1.5, ((Math.abs(b - a) + 1) / row.length) * 120) }))
  }
  return [svg, h('span', { class: 'sr' }, row.best?.coverage === null ? '' : `${fixed(row.best.coverage, 0)} % of the query`)]
}
function bestHit(row) {
  const { best } = row
  if (!best) return h('span', { class: 'dim' }, row.done === false ? 'not searched yet' : 'no hit')
  const title = best.title.startsWith(`${best.subject} `) ? best.title.slice(best.subject.length + 1) : best.title
  const name = best.organisms[0]?.name
  return [
    name ? [h('i', { class: 'organism' }, name), ' '] : '',
    h('span', { class: name ? 'subject-title dim' : 'subject-title' }, title || best.subject),
    ' ',
    h('code', {}, best.accession || best.subject),
  ]
}
const notes = row =>
  [row.limit_reached ? 'limit reached' : '', row.warnings?.length ? plural(row.warnings.length, 'remark') : ''].filter(Boolean).join(', ')

// [key, name, sort of the service, its first order, class, cell]
/** @type {any[][]} */
const COLUMNS = [
  ['query', 'Query', 'id', 'asc', 'q', null],
  ['length', 'Letters', 'length', 'desc', 'r', row => count(row.length)],
  ['best', 'Best hit', 'title', 'asc', 'subject', bestHit],
  ['identity', 'Identity', 'identity', 'desc', 'r', row => (row.best ? `${fixed(row.best.identity, 1)} %` : '–')],
  ['where', 'Where on the query', 'coverage', 'desc', 'where-cell', row => (row.best ? where(row) : '')],
  ['evalue', 'E-value', 'evalue', 'asc', 'r', row => (row.best ? evalue(row.best.evalue) : '–')],
  ['hits', 'Subjects', 'hits', 'desc', 'r', row => count(row.hits)],
  ['notes', 'Notes', null, null, 'notes', notes],
]

export function queryTable(panel, context) {
  const { job, partial, answer } = context
  context.memory.queries ??= { ...EMPTY }
  const memory = context.memory.queries
  const rule = chosenRule(job.program)
  const path = `/blast/jobs/${job.job_id}`
  let page = 0
  let generation = 0
  const chips = h('div', { class: 'chips', role: 'group', 'aria-label': 'Which queries' })
  const find = h('input', {
    id: 'qt-find',
    type: 'search',
    value: memory.q,
    placeholder: 'Find in queries and best hits',
    'aria-label': 'Find in queries and best hits',
    on: {
      input: debounce(300, () => {
        memory.q = find.value.trim()
        context.changed(false)
        load(0)
      }),
    },
  })
  const totals = h('span', { class: 'dim', role: 'status' })
  const again = h('span', { class: 'again' })
  const menu = h('details', { class: 'chooser' })
  const head = h('tr', { class: 'hhead' })
  const body = h('tbody', {})
  const table = h(
    'table',
    { class: 'hits qtable' },
    h('caption', { class: 'sr' }, 'Queries and their best hits'),
    h('thead', {}, head),
    body,
  )
  const pager = h('nav', { class: 'pager', 'aria-label': 'Pages of queries', hidden: true })
  panel.replaceChildren(
    h('div', { class: 'toolbar' }, chips, find, h('span', { class: 'spring' }), menu),
    h('div', { class: 'totals' }, totals, again),
    h('div', { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': 'Table of queries' }, table),
    pager,
  )

  const chosen = () => ({
    ...rule,
    ...Object.fromEntries(Object.entries(memory).filter(([, value]) => value)),
    ...(partial ? { partial: 'true' } : {}),
  })
  function paintChips() {
    const on = values => FILTERS.slice(1).every(name => memory[name] === (values[name] ?? ''))
    chips.replaceChildren(
      ...CHIPS.filter(([, , key]) => key === null || key === 'queries' || answer()?.[key] || on({ verdict: key })).map(
        ([name, values, key]) =>
          h(
            'button',
            {
              type: 'button',
              class: 'small',
              'aria-pressed': String(on(values)),
              on: {
                click: () => {
                  Object.assign(memory, { verdict: '', limit_reached: '', warned: '' }, values)
                  context.changed(true)
                  load(0)
                },
              },
            },
            name,
            key && answer() ? h('span', { class: 'n' }, ` ${count(answer()[key])}`) : '',
          ),
      ),
    )
  }
  function paintHead() {
    head.replaceChildren(
      ...COLUMNS.map(([key, name, sort, order, side]) => {
        const cell = h(
          'th',
          { scope: 'col', class: side, data: { key } },
          sort ? h('button', { type: 'button', on: { click: () => sortBy(sort, order, name) } }, name) : name,
        )
        if (sort && sort === memory.sort) cell.setAttribute('aria-sort', memory.order === 'asc' ? 'ascending' : 'descending')
        return cell
      }),
    )
  }
  function sortBy(sort, standard, name) {
    const other = standard === 'asc' ? 'desc' : 'asc'
    if (memory.sort !== sort) Object.assign(memory, { sort, order: standard })
    else if (memory.order === standard) memory.order = other
    else Object.assign(memory, { sort: '', order: '' })
    announce(memory.sort ? `Sorted by ${name}, ${memory.order === 'asc' ? 'ascending' : 'descending'}` : 'In the order of the queries')
    context.changed(true)
    load(0)
  }
  function line(row) {
    const open = h(
      'button',
      { type: 'button', class: 'open', title: row.title, on: { click: () => context.openQuery(row) } },
      row.id || `query ${row.query}`,
    )
    return h(
      'tr',
      { class: `hrow ${row.verdict}` },
      COLUMNS.map(([key, , , , side, cell]) =>
        h(
          key === 'query' ? 'th' : 'td',
          { class: side, data: { key }, ...(key === 'query' ? { scope: 'row' } : {}) },
          cell ? cell(row) : open,
        ),
      ),
    )
  }
  // What can be done with the queries that are shown: their sequences, searched again, the table as a file.
  function paintActions(total) {
    const narrowed = FILTERS.slice(1).filter(name => memory[name])
    const values = new URLSearchParams({ ...rule, ...Object.fromEntries(narrowed.map(name => [name, memory[name]])) })
    const whole = total > 0 && !partial && !memory.q
    const search = more => url(`/search?from=${job.job_id}&${values}${more}`)
    again.replaceChildren(
      ...(whole && narrowed.length && !byLink
        ? [
            h('a', { class: 'button small', href: search('') }, `Search ${total === 1 ? 'this one' : `these ${count(total)}`} again`),
            job.program === 'blastn' && job.task !== 'blastn'
              ? h('a', { class: 'button small', href: search('&task=blastn') }, 'with the more sensitive task blastn')
              : '',
            h('a', { class: 'button small quiet', href: url(`/api${path}/query?${values}`), download: '' }, 'Their sequences (FASTA)'),
          ].filter(Boolean)
        : []),
    )
    menu.replaceChildren(
      h('summary', {}, 'Download this table'),
      h(
        'div',
        { class: 'chooser-list' },
        ['tsv', 'csv', 'xlsx'].map(format =>
          h(
            'a',
            { href: url(`/api${path}/queries/table?${new URLSearchParams({ ...chosen(), format })}`), download: '' },
            format.toUpperCase(),
          ),
        ),
      ),
    )
  }
  async function load(wanted) {
    generation += 1
    const mine = generation
    paintChips()
    paintHead()
    let found
    try {
      found = await api(`${path}/queries?${new URLSearchParams({ ...chosen(), limit: String(PAGE), cursor: String(wanted * PAGE) })}`)
    } catch (error) {
      totals.textContent = error.message
      return
    }
    if (mine !== generation) return
    page = wanted
    const filtered = FILTERS.some(name => memory[name])
    totals.textContent = `${plural(found.total, 'query', 'queries')}${filtered ? ' shown' : ''}${found.complete ? '' : ' so far'}`
    body.replaceChildren(...found.queries.map(line))
    paintActions(found.total)
    show(pager, found.total > PAGE)
    const from = page * PAGE
    pager.replaceChildren(
      h('button', { type: 'button', disabled: page === 0, on: { click: () => load(page - 1) } }, '‹ Previous'),
      h('span', { class: 'num' }, `${count(from + 1)}–${count(from + found.queries.length)} of ${count(found.total)}`),
      h('button', { type: 'button', disabled: !found.page.has_more, on: { click: () => load(page + 1) } }, 'Next ›'),
    )
  }
  load(0)
  return {
    stop: () => {
      generation += 1
    },
    busy: () => page > 0 || scrollY > innerHeight,
  }
}
