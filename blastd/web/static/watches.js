// The list of watches: what each found at its last run, its runs, and what is new, lost and changed by query.

import { $, ago, api, ask, chip, count, failed, h, plural, show, toast, url, when } from './base.js'

const PAGE = 100
const CHANGES = 100
let cursor = null
let shown = 0

const counted = difference =>
  difference.new + difference.lost + difference.changed
    ? [
        difference.new ? `${count(difference.new)} new` : '',
        difference.lost ? `${count(difference.lost)} lost` : '',
        difference.changed ? `${count(difference.changed)} changed` : '',
      ]
        .filter(Boolean)
        .join(', ')
    : 'nothing changed'

function changeRow(change) {
  const found = change.after ?? change.before
  const from = change.before && change.after && change.before.bit_score !== change.after.bit_score
  return h(
    'tr',
    {},
    h('td', {}, change.query_id),
    h('td', {}, change.kind, change.what.length ? h('span', { class: 'dim' }, ` (${change.what.join(', ')})`) : ''),
    h('td', {}, found.subject),
    h('td', {}, found.title),
    h('td', {}, found.evalue),
    h('td', {}, from ? `${change.before.bit_score} → ${change.after.bit_score}` : String(found.bit_score)),
  )
}
const table = (name, columns, rows) =>
  h(
    'div',
    { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': name },
    h(
      'table',
      { class: 'simple' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map(column => h('th', { scope: 'col' }, column)),
        ),
      ),
      rows,
    ),
  )
async function fillChanges(box, watchId, run) {
  const rows = h('tbody', {})
  const more = h('button', { type: 'button', class: 'quiet', on: { click: () => next().catch(failed) } }, 'Show more')
  let after = null
  async function next() {
    const query = new URLSearchParams({ run: String(run.number), limit: String(CHANGES), ...(after ? { cursor: after } : {}) })
    const page = await api(`/blast/watches/${watchId}/changes?${query}`)
    rows.append(...page.changes.map(changeRow))
    after = page.page.next_cursor
    show(more, page.page.has_more)
  }
  await next()
  box.replaceChildren(table('Changes', ['Query', 'What', 'Subject', 'Title', 'E-value', 'Bit score'], rows), more)
}
function runLine(watchId, run) {
  const box = h('div', {})
  const changed = run.difference && run.difference.new + run.difference.lost + run.difference.changed > 0
  const text = run.difference ? counted(run.difference) : run.note || (run.settled_at ? 'the first run' : 'running')
  return h(
    'li',
    {},
    h('a', { href: url(`/jobs/${run.job_id}`) }, `Run ${run.number}`),
    h('span', { class: 'dim' }, ` ${when(run.began_at)} `),
    text,
    changed
      ? [
          ' ',
          h(
            'button',
            {
              type: 'button',
              class: 'quiet small',
              'aria-label': `Show what changed in run ${run.number}`,
              on: { click: () => fillChanges(box, watchId, run).catch(failed) },
            },
            'Show',
          ),
        ]
      : '',
    box,
  )
}
function card(watch) {
  const runs = h('ul', { class: 'plain' }, h('li', { class: 'dim' }, 'Loading…'))
  const state = h('span', {})
  const trouble = h('p', { class: 'note' })
  const toggle = h('button', { type: 'button', class: 'small', on: { click: () => change().catch(failed) } })
  const name = watch.label || watch.search.program
  const box = h(
    'section',
    { class: 'panel', 'aria-label': name },
    h(
      'div',
      { class: 'page-head' },
      h('h2', {}, name),
      state,
      h('span', { class: 'spring' }),
      toggle,
      h('button', { type: 'button', class: 'small danger', on: { click: () => remove().catch(failed) } }, 'Remove'),
    ),
    h(
      'p',
      { class: 'facts' },
      `${watch.search.program} · ${watch.search.database.join(', ')} · ${plural(watch.query.count, 'query', 'queries')} · of ${watch.owner} · begun ${ago(watch.created_at)}`,
    ),
    trouble,
    runs,
  )
  function paint(found) {
    const one = found.watch
    watch.state = one.state
    state.replaceChildren(chip(one.state))
    toggle.textContent = one.state === 'paused' ? 'Resume' : 'Pause'
    show(trouble, Boolean(one.trouble))
    trouble.textContent = one.trouble?.text ?? ''
    runs.replaceChildren(...found.runs.slice(0, 10).map(run => runLine(one.watch_id, run)))
  }
  async function change() {
    const what = watch.state === 'paused' ? 'resume' : 'pause'
    paint(await api(`/blast/watches/${watch.watch_id}/${what}`, { method: 'POST' }))
  }
  async function remove() {
    if (!(await ask(`Remove the watch “${name}”?`, 'It runs no more. Its searches stay as long as others do.', 'Remove', true))) return
    await api(`/blast/watches/${watch.watch_id}`, { method: 'DELETE' })
    box.remove()
    tell(shown - 1)
    toast('Removed')
  }
  api(`/blast/watches/${watch.watch_id}`).then(paint).catch(failed)
  return box
}
function tell(number) {
  shown = number
  $('total').textContent = number ? plural(number, 'watch', 'watches') : ''
  show($('empty'), number === 0)
}
async function load() {
  const query = new URLSearchParams({ limit: String(PAGE), ...(cursor ? { cursor } : {}) })
  const page = await api(`/blast/watches?${query}`)
  $('list').append(...page.watches.map(card))
  tell(shown + page.watches.length)
  cursor = page.page.next_cursor
  show($('more'), page.page.has_more)
  $('list').setAttribute('aria-busy', 'false')
}
$('more').addEventListener('click', () => load().catch(failed))
load().catch(failed)
