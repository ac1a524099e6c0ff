// The table of subjects found: sorted and filtered by the service, so that 70,000 of them are no burden here.

import {
  announce,
  copy,
  count,
  debounce,
  evalue,
  failed,
  fixed,
  h,
  plural,
  scoreClass,
  show,
  toast,
  url,
} from './base.js'
import { Hits, plainTitle } from './hits.js'
import { VirtualList } from './vlist.js'

const COLUMNS = [
  ['subject', 'Subject', '', null],
  ['organism', 'Organism', 'org', null],
  ['bit_score', 'Max score', 'r', 'desc'],
  ['total', 'Total', 'r', null],
  ['coverage', 'Cover', 'r', 'desc'],
  ['evalue', 'E-value', 'r', 'asc'],
  ['identity', 'Ident.', 'r', 'desc'],
  ['length', 'Length', 'r', null],
]

export function descriptions(panel, context) {
  const { job, query, partial, openSubject } = context
  const memory = (context.memory.descriptions ??= {
    sort: '',
    order: '',
    q: '',
    max_evalue: '',
    min_identity: '',
    min_coverage: '',
  })
  const picked = new Map()
  let hits
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
            load()
          }),
        },
      }),
    )
  const totals = h('span', { class: 'dim', role: 'status' })
  const fasta = h('button', { type: 'button', disabled: true, on: { click: download } }, 'Download FASTA')
  const copyIds = h(
    'button',
    {
      type: 'button',
      class: 'quiet',
      disabled: true,
      on: { click: () => copy([...picked.keys()].join('\n'), `${plural(picked.size, 'id')} copied`) },
    },
    'Copy ids',
  )
  const all = h('input', {
    type: 'checkbox',
    'aria-label': 'Select all subjects that are loaded',
    on: {
      change: event => {
        for (const row of hits.rows) event.target.checked ? picked.set(row.subject, row) : picked.delete(row.subject)
        list.refresh()
        chosen()
      },
    },
  })
  const head = h(
    'div',
    { class: 'hhead', role: 'row', 'aria-rowindex': 1 },
    h('span', { role: 'columnheader' }, all),
    COLUMNS.map(([key, name, side, order]) =>
      h(
        'span',
        { class: side, role: 'columnheader', data: { key } },
        order ? h('button', { type: 'button', on: { click: () => sortBy(key, order) } }, name) : name,
      ),
    ),
  )
  const body = h('div', { class: 'vlist', role: 'rowgroup' })
  const table = h(
    'div',
    { class: 'hits', role: 'table', 'aria-label': 'Subjects found' },
    h('div', { role: 'rowgroup' }, head),
    body,
  )
  const nothing = h('div', { class: 'empty', hidden: true })
  panel.replaceChildren(
    h(
      'div',
      { class: 'toolbar' },
      field('d-q', 'Find in id or title', { name: 'q', type: 'search' }),
      field('d-e', 'E-value at most', { name: 'max_evalue', inputMode: 'decimal', placeholder: 'any' }),
      field('d-i', 'Identity at least, %', { name: 'min_identity', inputMode: 'decimal', placeholder: 'any' }),
      field('d-c', 'Coverage at least, %', { name: 'min_coverage', inputMode: 'decimal', placeholder: 'any' }),
      h('span', { class: 'spring' }),
      copyIds,
      fasta,
    ),
    totals,
    h('div', { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': 'Table of subjects' }, table),
    nothing,
  )

  const list = new VirtualList(body, { key: row => `${row.query} ${row.subject}`, build, update, near: more })
  function build() {
    const pick = h('input', { type: 'checkbox' })
    const cells = COLUMNS.map(([, , side]) => h('span', { class: `${side} ell`, role: 'cell' }))
    const element = h(
      'div',
      { role: 'row' },
      h('div', { class: 'hrow', role: 'presentation' }, h('span', { role: 'cell' }, pick), cells),
    )
    Object.assign(element, { pick, cells })
    pick.addEventListener('change', () => {
      pick.checked ? picked.set(element.row.subject, element.row) : picked.delete(element.row.subject)
      chosen()
    })
    return element
  }
  function update(element, row) {
    element.row = row
    element.pick.checked = picked.has(row.subject)
    element.pick.setAttribute('aria-label', `Select ${row.subject}`)
    const [name, organism, max, total, cover, e, identity, length] = element.cells
    name.replaceChildren(
      h('span', { class: `swatch c${scoreClass(row.bits)}`, 'aria-hidden': 'true' }),
      h(
        'a',
        {
          href: `#${encodeURIComponent(row.subject)}`,
          title: `${row.subject} ${row.title}`,
          on: {
            click: event => {
              event.preventDefault()
              openSubject(row.subject)
            },
          },
        },
        h('code', {}, row.accession ?? row.subject),
        ` ${plainTitle(row)}`,
      ),
      row.hsps > 1 ? h('span', { class: 'dim' }, ` · ${row.hsps} HSPs`) : '',
    )
    organism.textContent = row.names.length
      ? row.names.join(', ')
      : row.taxids.length
        ? `taxid ${row.taxids.join(', ')}`
        : '–'
    organism.title = organism.textContent
    max.textContent = fixed(row.bits, row.bits < 100 ? 1 : 0)
    total.textContent = fixed(row.totalBits, row.totalBits < 100 ? 1 : 0)
    cover.textContent = row.coverage === null ? '–' : `${fixed(row.coverage, 0)} %`
    e.textContent = evalue(row.evalue)
    identity.textContent = row.identity === null ? '–' : `${fixed(row.identity, 1)} %`
    length.textContent = count(row.length)
  }
  function chosen() {
    fasta.disabled = copyIds.disabled = picked.size === 0
    fasta.textContent = picked.size ? `Download FASTA (${count(picked.size)})` : 'Download FASTA'
  }
  function sortBy(key, standard) {
    const other = standard === 'asc' ? 'desc' : 'asc'
    if (memory.sort !== key) Object.assign(memory, { sort: key, order: standard })
    else if (memory.order === standard) memory.order = other
    else Object.assign(memory, { sort: '', order: '' })
    announce(
      memory.sort
        ? `Sorted by ${key.replace('_', ' ')}, ${memory.order === 'asc' ? 'ascending' : 'descending'}`
        : 'In the order of BLAST',
    )
    load()
  }
  function load() {
    hits?.stop()
    const bad = ['max_evalue', 'min_identity', 'min_coverage'].filter(
      name => memory[name] !== '' && !(Number(memory[name]) >= 0),
    )
    if (bad.length) {
      totals.textContent = 'The filters take numbers, such as 1e-10 or 95.'
      return
    }
    hits = new Hits(job.job_id, { group: 'subject', query, partial, ...memory })
    list.reset()
    for (const cell of head.querySelectorAll('[data-key]')) {
      if (cell.dataset.key === memory.sort)
        cell.setAttribute('aria-sort', memory.order === 'asc' ? 'ascending' : 'descending')
      else cell.removeAttribute('aria-sort')
    }
    totals.textContent = 'Loading…'
    more()
  }
  async function more() {
    const mine = hits
    if (mine.done || mine.loading) return
    try {
      await mine.next()
      if (mine !== hits) return
      list.total = hits.total ?? hits.rows.length
      table.setAttribute('aria-rowcount', list.total + 1)
      table.classList.toggle('no-org', !hits.rows.some(row => row.names.length || row.taxids.length))
      list.set(hits.rows)
      const filtered = memory.q || memory.max_evalue || memory.min_identity || memory.min_coverage
      totals.textContent = hits.rows.length
        ? `${plural(hits.total ?? hits.rows.length, 'subject')}${filtered ? ' match these filters' : ''}${hits.complete ? '' : ' so far'}`
        : ''
      show(nothing, !hits.rows.length)
      show(table, hits.rows.length > 0)
      if (!hits.rows.length)
        nothing.replaceChildren(
          h('strong', {}, filtered ? 'No subject matches these filters' : partial ? 'No hits yet' : 'No hits'),
          filtered
            ? 'Loosen them to see the others.'
            : partial
              ? 'They appear here as the search goes on.'
              : 'Nothing in the database is similar enough. A higher E-value, a more sensitive task or a translated search may find more distant relatives.',
        )
    } catch (error) {
      if (error.name !== 'AbortError') {
        totals.textContent = error.message
      }
    }
  }
  async function download() {
    fasta.disabled = true
    try {
      const ids = [...picked.keys()]
      const values = new URLSearchParams({ format: 'fasta', ...(query ? { query } : {}) })
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
    chosen()
  }
  load()
  return { stop: () => hits?.stop(), busy: () => picked.size > 0 || scrollY > innerHeight, reload: load }
}
