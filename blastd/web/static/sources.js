// What the sources of databases offer, what is being made or fetched, and what may be done with a database of one's own.

import { $, Problem, api, ask, bytes, chip, failed, h, plural, problemBox, show, toast } from './base.js'

const ENDED = new Set(['completed', 'failed', 'cancelled'])
const STEPS = {
  planning: 'asking the source',
  receiving: 'receiving',
  comparing: 'asking the source again',
  taxonomy: 'names of organisms',
  checking: 'checking',
  making: 'makeblastdb',
  waiting: 'waiting for its turn',
}
const KINDS = { make: 'Making', fetch: 'Fetching', update: 'Updating' }
let changed = () => {}
let timer
const known = new Map()

export const api_of = name => `/blast/databases/${name.split('/').map(encodeURIComponent).join('/')}`
export function begin(onChange) {
  changed = onChange
  tasks()
  $('offers').addEventListener('toggle', () => {
    if ($('offers').open && !$('offers-list').dataset.asked) offers(false)
  })
  $('offers-refresh').addEventListener('click', () => offers(true))
  $('offers-filter').addEventListener('input', paint)
}

// ---- tasks
function left(seconds) {
  if (seconds === null || seconds === undefined) return ''
  if (seconds < 90) return `about ${Math.max(1, Math.round(seconds))} s left`
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`
  return `about ${(seconds / 3600).toFixed(1)} h left`
}
function line(task) {
  const running = task.status === 'running'
  const parts = [
    running ? (STEPS[task.step] ?? task.step) : '',
    running && task.bytes_total ? `${bytes(task.bytes_done)} of ${bytes(task.bytes_total)}` : '',
    running ? left(task.eta_seconds) : '',
    task.next_try_at ? `tried again at ${new Date(task.next_try_at).toLocaleTimeString()}` : '',
  ]
  return parts.filter(Boolean).join(' · ')
}
function row(task) {
  const button = (what, text) =>
    h('button', { type: 'button', class: 'small', 'aria-label': `${text} ${task.name}`, on: { click: () => act(task, what) } }, text)
  return h(
    'li',
    { class: 'task' },
    h('strong', {}, `${KINDS[task.kind]} ${task.name}`),
    chip(task.status),
    task.status === 'running' ? h('progress', { max: 1, value: task.progress, 'aria-label': `${KINDS[task.kind]} ${task.name}` }) : '',
    h('span', { class: 'dim' }, line(task)),
    ENDED.has(task.status) ? '' : button('cancel', 'Cancel'),
    task.status === 'failed' || task.status === 'cancelled' ? button('retry', 'Try again') : '',
    task.error ? h('p', { class: task.status === 'failed' ? 'note bad' : 'note' }, task.error) : '',
  )
}
async function act(task, what) {
  try {
    await api(`/blast/database-tasks/${encodeURIComponent(task.id)}/${what}`, { method: 'POST' })
    await tasks()
  } catch (error) {
    failed(error)
  }
}
export async function tasks() {
  clearTimeout(timer)
  let active = false
  try {
    const found = (await api('/blast/database-tasks')).tasks
    const recent = found.filter(
      one => !ENDED.has(one.status) || (one.status !== 'completed' && Date.now() - Date.parse(one.finished_at) < 864e5),
    )
    active = found.some(one => !ENDED.has(one.status))
    let over = false
    for (const one of found) {
      over ||= ENDED.has(one.status) && known.has(one.id) && !ENDED.has(known.get(one.id))
      known.set(one.id, one.status)
    }
    $('tasks').replaceChildren(...recent.map(row))
    show($('h-tasks'), recent.length > 0)
    if (over) {
      changed()
      if ($('offers').open) offers(false)
    }
  } catch (error) {
    failed(error)
  }
  timer = setTimeout(tasks, document.hidden ? 15000 : active ? 1000 : 15000)
}

// ---- offers
let found = { databases: [], problems: [], sources: [] }
async function offers(refresh) {
  $('offers-list').dataset.asked = 'yes'
  $('offers-list').replaceChildren(h('p', { class: 'dim' }, 'Asking the sources…'))
  try {
    found = await api(`/blast/databases/available?refresh=${refresh}`)
    paint()
  } catch (error) {
    $('offers-list').replaceChildren()
    failed(error)
  }
}
function paint() {
  const text = $('offers-filter').value.trim().toLowerCase()
  const shown = found.databases.filter(one => `${one.name} ${one.title}`.toLowerCase().includes(text))
  $('offers-problems').replaceChildren(...found.problems.map(one => h('p', { class: 'note bad' }, one)))
  if (!found.sources.length) {
    $('offers-list').replaceChildren(
      h('p', { class: 'dim' }, 'No source is configured; the operator adds some under [[databases.sources]].'),
    )
    return
  }
  $('offers-list').replaceChildren(
    h('p', { class: 'dim' }, `${plural(shown.length, 'database')} of ${plural(found.sources.length, 'source')}`),
    h(
      'table',
      { class: 'offers' },
      h('thead', {}, h('tr', {}, ...['Name', 'Title', 'Molecule', 'Date', 'Size', 'Here', ''].map(one => h('th', { scope: 'col' }, one)))),
      h('tbody', {}, ...shown.slice(0, 500).map(offer)),
    ),
  )
}
function offer(one) {
  const state = one.installed_as === null ? '' : one.newer ? `${one.installed_as}, an older one` : one.installed_as
  const go = one.installed_as === null ? ['Fetch', () => fetchOne(one)] : one.newer ? ['Update', () => update(one.installed_as)] : null
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, one.name),
    h('td', {}, one.title === one.name ? '' : one.title),
    h('td', {}, one.molecule),
    h('td', {}, one.date),
    h('td', { class: 'num' }, one.size_bytes ? bytes(one.size_bytes) : ''),
    h('td', {}, state),
    h(
      'td',
      {},
      go ? h('button', { type: 'button', class: 'small', 'aria-label': `${go[0]} ${one.name}`, on: { click: go[1] } }, go[0]) : '',
    ),
  )
}
async function work(doing) {
  show($('offers-problem'), false)
  try {
    const answer = await doing()
    if (answer?.detail && !answer.task) toast(answer.detail)
    await tasks()
  } catch (error) {
    if (error instanceof Problem) problemBox($('offers-problem'), error)
    else failed(error)
  }
}
async function fetchOne(one) {
  const size = one.size_bytes ? `It has ${bytes(one.size_bytes)}. ` : ''
  if (await ask(`Fetch ${one.name}?`, `${size}It is fetched from ${one.source} in the background.`, 'Fetch'))
    await work(() =>
      api('/blast/databases/fetch', {
        method: 'POST',
        json: { name: one.name, source: one.source, molecule: one.molecule },
      }),
    )
}
export const update = name => work(() => api(`${api_of(name)}/update`, { method: 'POST' }))

// ---- one's own databases
const uses = async one => api(`${api_of(one.name)}/uses?molecule=${one.molecule}`)
function serves(what) {
  const parts = [
    `${plural(what.jobs_active, 'search', 'searches')} in work`,
    `later formats of ${plural(what.jobs_stored, 'stored search', 'stored searches')}`,
  ]
  if (what.warm_on.length) parts.push(`the nodes ${what.warm_on.join(', ')}`)
  return `It serves ${parts.join(', ')}. These keep what they pinned.`
}
async function remove(one) {
  try {
    const what = await uses(one)
    if (!what.may_change) throw new Problem(403, { detail: what.reason, code: 'forbidden' })
    if (!(await ask(`Remove ${one.name}?`, `${serves(what)} ${bytes(what.size_bytes)} go.`, 'Remove', true))) return
    await api(`${api_of(one.name)}?molecule=${one.molecule}`, { method: 'DELETE' })
    toast(`${one.name} is removed`)
    changed()
  } catch (error) {
    failed(error)
  }
}
async function rename(one) {
  const field = h('input', { id: 'new-name', value: one.name, required: true, pattern: '[A-Za-z0-9][A-Za-z0-9._-]*', maxlength: 100 })
  const why = h('p', { class: 'note bad', role: 'alert', hidden: true })
  const dialog = h(
    'dialog',
    { 'aria-labelledby': 'rename-title' },
    h(
      'form',
      {
        on: {
          submit: async event => {
            event.preventDefault()
            try {
              await api(`${api_of(one.name)}/rename?molecule=${one.molecule}`, { method: 'POST', json: { name: field.value } })
              dialog.close()
              toast(`${one.name} is called ${field.value} now`)
              changed()
            } catch (error) {
              why.textContent = error.message
              why.hidden = false
            }
          },
        },
      },
      h('h2', { id: 'rename-title' }, `Rename ${one.name}`),
      h('label', { for: 'new-name' }, 'New name'),
      field,
      why,
      h(
        'div',
        { class: 'dialog-row' },
        h('button', { type: 'button', on: { click: () => dialog.close() } }, 'Keep'),
        h('button', { type: 'submit', class: 'primary' }, 'Rename'),
      ),
    ),
  )
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
export function buttons(one) {
  if (!one.own || one.state === 'building') return []
  const button = (text, on) =>
    h('button', { type: 'button', class: 'small', 'aria-label': `${text} ${one.name}`, on: { click: () => on(one) } }, text)
  return [one.source ? button('Update', () => update(one.name)) : '', button('Rename', rename), button('Remove', remove)]
}
