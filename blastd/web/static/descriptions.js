// The table of subjects found: a real table, sorted, filtered and paged by the service, so that 350,000 are no burden here.

import { announce, copy, count, debounce, failed, h, plural, show, toast, url } from './base.js'
import { alignmentBox, alignmentsOf } from './alignments.js'
import { COLUMNS, chosenColumns, keepColumns, subjectCell } from './columns.js'
import { Hits, linksOut } from './hits.js'
import { hspMap } from './hsp_map.js'

const PAGE = 500 // rows of a page: laid out in a tenth of a second
const MOST_SELECTED = 10000
export const EMPTY = { sort: '', order: '', q: '', max_evalue: '', min_identity: '', min_coverage: '' }
const FILTERS = ['q', 'max_evalue', 'min_identity', 'min_coverage']

const keyOf = row => `${row.query} ${row.subject}`

export function descriptions(panel, context) {
  const { job, query, partial } = context
  context.memory.descriptions ??= { ...EMPTY }
  context.memory.picked ??= new Map()
  const { descriptions: memory, picked } = context.memory
  const columns = chosenColumns(job.program)
  let hits = null
  let page = 0
  const pages = [] // rows of the pages that were read
  const stopper = new AbortController()

  // ---- toolbar
  const field = (id, label, properties) =>
    h(
      'div',
      { class: 'f' },
      h('label', { htmlFor: id }, label),
      h('input', {
        id,
        value: memory[properties.name] ?? '',
        autocomplete: 'off',
        ...properties,
        on: {
          input: debounce(300, event => {
            memory[properties.name] = event.target.value.trim()
            context.changed(false)
            load()
          }),
        },
      }),
    )
  const totals = h('span', { class: 'dim', role: 'status' })
  const button = (name, work, className = '') => h('button', { type: 'button', class: className, on: { click: work } }, name)
  const fasta = button('Download FASTA', download)
  const copyIds = button(
    'Copy ids',
    () => copy([...picked.values()].map(row => row.subject).join('\n'), `${plural(picked.size, 'id')} copied`),
    'quiet',
  )
  const clear = button(
    'Clear',
    () => {
      picked.clear()
      marks()
    },
    'quiet',
  )
  const everything = button('', selectEverything, 'quiet')
  const chooser = h(
    'details',
    { class: 'chooser' },
    h('summary', {}, 'Columns'),
    h(
      'div',
      { class: 'chooser-list' },
      COLUMNS.filter(([key]) => key !== 'title').map(([key, name]) =>
        h(
          'label',
          { class: 'inline' },
          h('input', {
            type: 'checkbox',
            checked: columns.has(key),
            on: {
              change: event => {
                event.target.checked ? columns.add(key) : columns.delete(key)
                keepColumns(job.program, columns)
                paint()
              },
            },
          }),
          ` ${name}`,
        ),
      ),
    ),
  )
  const tables = h('details', { class: 'chooser' })
  const head = h('tr', { class: 'hhead' })
  const body = h('tbody', {})
  const table = h('table', { class: 'hits' }, h('caption', { class: 'sr' }, 'Subjects found'), h('thead', {}, head), body)
  const nothing = h('div', { class: 'empty', hidden: true })
  const pager = h('nav', { class: 'pager', 'aria-label': 'Pages of subjects', hidden: true })
  panel.replaceChildren(
    h(
      'div',
      { class: 'toolbar' },
      field('d-q', 'Find in id or title', { name: 'q', type: 'search' }),
      field('d-e', 'E-value at most', { name: 'max_evalue', inputMode: 'decimal', placeholder: 'any' }),
      field('d-i', 'Identity at least, %', { name: 'min_identity', inputMode: 'decimal', placeholder: 'any' }),
      field('d-c', 'Coverage at least, %', { name: 'min_coverage', inputMode: 'decimal', placeholder: 'any' }),
      h('span', { class: 'spring' }),
      chooser,
      tables,
    ),
    h('div', { class: 'totals' }, totals, everything, fasta, copyIds, clear),
    h('div', { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': 'Table of subjects' }, table),
    nothing,
    pager,
  )

  // ---- table
  const shownColumns = () =>
    COLUMNS.filter(([key]) => columns.has(key) && (key !== 'organism' || pages[page]?.some(row => row.names.length)))
  const all = h('input', {
    type: 'checkbox',
    'aria-label': 'Select all subjects of this page',
    on: {
      change: event => {
        for (const row of pages[page] ?? []) event.target.checked ? picked.set(keyOf(row), row) : picked.delete(keyOf(row))
        marks()
      },
    },
  })
  function paintHead() {
    head.replaceChildren(
      h('th', { scope: 'col', class: 'pick' }, all),
      ...shownColumns().map(([key, name, sort, order, side]) => {
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
  function line(row) {
    const pick = h('input', {
      type: 'checkbox',
      'aria-label': `Select ${row.subject}`,
      on: {
        change: event => {
          event.target.checked ? picked.set(keyOf(row), row) : picked.delete(keyOf(row))
          marks()
        },
      },
    })
    const element = h('tr', { class: 'hrow' })
    const title = h(
      'button',
      { type: 'button', class: 'open', 'aria-expanded': 'false', title: row.title, on: { click: () => toggle(element, row, title) } },
      subjectCell(row),
    )
    element.append(
      h('td', { class: 'pick' }, pick),
      ...shownColumns().map(([key, , , , side, cell]) => h('td', { class: side, data: { key } }, key === 'title' ? title : cell(row))),
    )
    Object.assign(element, { pick, row })
    return element
  }
  // A hit opens in place: its alignments below its row, as BLAST+ wrote them.
  async function toggle(element, row, title) {
    if (element.opened) {
      element.opened.remove()
      element.opened = null
      title.setAttribute('aria-expanded', 'false')
      return
    }
    const cell = h('td', { colSpan: head.children.length }, h('p', { class: 'dim' }, 'Loading…'))
    element.opened = h('tr', { class: 'opened' }, cell)
    element.after(element.opened)
    title.setAttribute('aria-expanded', 'true')
    if (partial) {
      cell.replaceChildren(h('p', { class: 'dim' }, 'Alignments are shown when the search has completed.'))
      return
    }
    try {
      const found = await alignmentsOf(job.job_id, { query: row.query, rank: row.rank, limit: 1 }, stopper.signal)
      const map = h('div', {})
      cell.replaceChildren(linksOut(row), map, ...found.subjects.map(subject => alignmentBox(subject, found.cut)))
      map.replaceChildren(await hspMap(job, row, stopper.signal))
    } catch (error) {
      if (error.name !== 'AbortError') cell.replaceChildren(h('p', { class: 'note bad' }, error.message))
    }
  }
  function paint() {
    const rows = pages[page] ?? []
    paintHead()
    body.replaceChildren(...rows.map(line))
    marks()
    const total = hits?.total ?? rows.length
    show(pager, total > PAGE)
    if (total <= PAGE) return
    const from = page * PAGE
    pager.replaceChildren(
      h('button', { type: 'button', disabled: page === 0, on: { click: () => turn(page - 1) } }, '‹ Previous'),
      h('span', { class: 'num' }, `${count(from + 1)}–${count(from + rows.length)} of ${count(total)}`),
      h('button', { type: 'button', disabled: from + rows.length >= total, on: { click: () => turn(page + 1) } }, 'Next ›'),
    )
  }
  function marks() {
    const rows = pages[page] ?? []
    for (const element of body.querySelectorAll('.hrow')) element.pick.checked = picked.has(keyOf(element.row))
    const here = rows.filter(row => picked.has(keyOf(row))).length
    all.checked = rows.length > 0 && here === rows.length
    all.indeterminate = here > 0 && here < rows.length
    for (const one of [fasta, copyIds, clear]) show(one, picked.size > 0)
    fasta.disabled = false
    fasta.textContent = `Download FASTA (${count(picked.size)})`
    const total = hits?.total ?? 0
    const more = all.checked && total > rows.length
    show(everything, more)
    everything.textContent = total > MOST_SELECTED ? `Select the first ${count(MOST_SELECTED)}` : `Select all ${count(total)}`
  }
  async function selectEverything() {
    everything.disabled = true
    try {
      const reader = new Hits(job.job_id, { group: 'subject', query, partial, ...memory, limit: 1000 })
      while (!reader.done && reader.rows.length < MOST_SELECTED) await reader.next()
      for (const row of reader.rows.slice(0, MOST_SELECTED)) picked.set(keyOf(row), row)
      announce(`${plural(picked.size, 'subject')} selected`)
    } catch (error) {
      failed(error)
    }
    everything.disabled = false
    marks()
  }
  function sortBy(sort, standard, name) {
    const other = standard === 'asc' ? 'desc' : 'asc'
    if (memory.sort !== sort) Object.assign(memory, { sort, order: standard })
    else if (memory.order === standard) memory.order = other
    else Object.assign(memory, { sort: '', order: '' })
    announce(memory.sort ? `Sorted by ${name}, ${memory.order === 'asc' ? 'ascending' : 'descending'}` : 'In the order of BLAST')
    context.changed(true)
    load()
  }
  function load() {
    hits?.stop()
    const bad = FILTERS.slice(1).filter(name => memory[name] !== '' && !(Number(memory[name]) >= 0))
    if (bad.length) {
      totals.textContent = 'The filters take numbers, such as 1e-10 or 95.'
      return
    }
    hits = new Hits(job.job_id, { group: 'subject', query, partial, ...memory, limit: PAGE })
    const values = Object.entries({ group: 'subject', query, partial, ...memory }).filter(([, value]) => value)
    tables.replaceChildren(
      h('summary', {}, 'Download this table'),
      h(
        'div',
        { class: 'chooser-list' },
        ['tsv', 'csv', 'xlsx'].map(format =>
          h(
            'a',
            { href: url(`/api/blast/jobs/${job.job_id}/hits/table?${new URLSearchParams([...values, ['format', format]])}`), download: '' },
            format.toUpperCase(),
          ),
        ),
      ),
    )
    pages.length = 0
    totals.textContent = 'Loading…'
    turn(0)
  }
  async function turn(wanted) {
    const mine = hits
    try {
      while (pages.length <= wanted && !mine.done) {
        const rows = await mine.next()
        if (mine !== hits) return
        pages.push(rows)
      }
    } catch (error) {
      if (error.name !== 'AbortError') totals.textContent = error.message
      return
    }
    if (mine !== hits) return
    page = Math.min(wanted, Math.max(0, pages.length - 1))
    const found = hits.total ?? 0
    const filtered = FILTERS.some(name => memory[name])
    totals.textContent = found
      ? `${plural(found, 'subject')}${filtered ? ' match these filters' : ''}${hits.complete ? '' : ' so far'}`
      : ''
    show(table, found > 0)
    show(nothing, found === 0)
    if (!found)
      nothing.replaceChildren(
        h('strong', {}, filtered ? 'No subject matches these filters' : partial ? 'No hits yet' : 'No hits'),
        filtered
          ? 'Loosen them to see the others.'
          : partial
            ? 'They appear here as the search goes on.'
            : 'Nothing in the database is similar enough. A higher E-value, a more sensitive task or a translated search may find more distant relatives.',
      )
    paint()
    if (wanted) table.scrollIntoView({ block: 'start' })
  }
  async function download() {
    fasta.disabled = true
    try {
      const rows = [...picked.values()]
      const ids = [...new Set(rows.map(row => row.subject))]
      const only = new Set(rows.map(row => row.query))
      const values = new URLSearchParams({ format: 'fasta', ...(only.size === 1 ? { query: [...only][0] } : {}) })
      fasta.textContent = `Fetching ${plural(ids.length, 'sequence')}…`
      const response = await fetch(url(`/api/blast/jobs/${job.job_id}/results?${values}`), {
        method: 'POST',
        headers: { 'X-Requested-With': 'blastd', 'Content-Type': 'application/json' },
        body: JSON.stringify({ subjects: ids }),
      })
      if (!response.ok) throw new Error((await response.json()).detail ?? "These sequences can't be fetched now.")
      const link = h('a', { href: URL.createObjectURL(await response.blob()), download: `${job.short_id}_hits.fa` })
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 10000)
      toast(`${plural(ids.length, 'sequence')} fetched`)
    } catch (error) {
      failed(error)
    }
    marks()
  }
  load()
  return {
    stop: () => {
      hits?.stop()
      stopper.abort()
    },
    busy: () => picked.size > 0 || scrollY > innerHeight || Boolean(body.querySelector('.opened')),
    reload: load,
  }
}
