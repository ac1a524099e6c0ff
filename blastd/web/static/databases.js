// The catalogue of databases, with what is broken and why; and the form that makes one from a FASTA file.

import {
  $,
  Problem,
  api,
  ask,
  bytes,
  chip,
  count,
  debounce,
  failed,
  h,
  letters,
  plural,
  problemBox,
  show,
  toast,
  upload,
  url,
} from './base.js'
import { scan } from './fasta.js'
import { begin, buttons, tasks } from './sources.js'

let databases = []
let seen = null
let busy = false
let timer

function paint() {
  const text = $('filter').value.trim().toLowerCase()
  const shown = databases.filter(one => `${one.name} ${one.title ?? ''} ${one.molecule}`.toLowerCase().includes(text))
  $('total').textContent =
    plural(databases.length, 'database') +
    (databases.some(one => one.state === 'broken') ? `, ${count(databases.filter(one => one.state === 'broken').length)} broken` : '')
  $('list').replaceChildren(
    ...(shown.length
      ? shown.map(card)
      : [
          h(
            'div',
            { class: 'empty' },
            h('strong', {}, databases.length ? 'No database matches' : 'No databases yet'),
            databases.length
              ? 'Change the filter to see the others.'
              : 'Make one from a FASTA file below, or put BLAST databases into the folder that the service reads.',
          ),
        ]),
  )
}
function card(one) {
  const warm = Array.isArray(one.warm_on) ? one.warm_on : (one.warm ?? [])
  return h(
    'article',
    { class: 'panel db' },
    h('h2', {}, one.name, chip(one.state)),
    one.title && one.title !== one.name ? h('div', {}, one.title) : '',
    one.state === 'broken' || one.reason
      ? h('p', { class: one.state === 'broken' ? 'note bad' : 'note' }, one.reason ?? "It can't be read.")
      : '',
    one.progress !== undefined && one.progress !== null && one.state === 'building'
      ? h('progress', { max: 1, value: one.progress, 'aria-label': `Making ${one.name}` })
      : '',
    h(
      'p',
      { class: 'facts' },
      one.sequences !== null && one.sequences !== undefined
        ? [
            h('span', {}, h('b', {}, one.molecule)),
            h('span', {}, plural(one.sequences, 'sequence')),
            h('span', {}, letters(one.letters, one.molecule)),
            one.size_bytes ? h('span', {}, bytes(one.size_bytes)) : '',
          ]
        : '',
    ),
    h(
      'p',
      { class: 'facts' },
      one.date ? h('span', {}, one.date) : '',
      one.version ? h('span', {}, `version ${one.version}`) : '',
      one.taxonomy !== undefined && one.state === 'ready' ? h('span', {}, one.taxonomy ? 'with taxonomy' : 'without taxonomy') : '',
      warm.length ? h('span', {}, `warm on ${warm.join(', ')}`) : '',
      one.source ? h('span', {}, `from ${one.source}${one.source_version ? `, ${one.source_version.slice(0, 19)}` : ''}`) : '',
      one.maskings?.length ? h('span', {}, `masked by ${one.maskings.map(each => `${each.algorithm} (${each.id})`).join(', ')}`) : '',
    ),
    one.fingerprint
      ? h('p', { class: 'facts' }, h('span', {}, 'Fingerprint ', h('code', { title: one.fingerprint }, one.fingerprint.slice(0, 16))))
      : '',
    one.update_error ? h('p', { class: 'note bad' }, `The last update failed: ${one.update_error}`) : '',
    one.state === 'ready' || one.own
      ? h(
          'div',
          { class: 'end' },
          ...buttons(one),
          one.state === 'ready' &&
            h('a', { class: 'button small', href: url(`/search?database=${encodeURIComponent(one.name)}`) }, 'Search it'),
        )
      : '',
  )
}
async function load() {
  clearTimeout(timer)
  try {
    databases = (await api('/blast/databases')).databases ?? []
    paint()
  } catch (error) {
    failed(error)
  }
  timer = setTimeout(
    () => {
      if (document.hidden) timer = setTimeout(load, 5000)
      else load()
    },
    databases.some(one => one.state === 'building') ? 1000 : 15000,
  )
}
$('filter').addEventListener('input', paint)
$('rescan').addEventListener('click', async () => {
  $('rescan').disabled = true
  try {
    await api('/blast/databases/rescan', { method: 'POST' })
    await load()
    toast('The catalogue is up to date')
  } catch (error) {
    failed(error)
  }
  $('rescan').disabled = false
})

// ---- making one
let stopper
$('file').addEventListener('change', async () => {
  stopper?.abort()
  stopper = new AbortController()
  const file = $('file').files[0]
  seen = null
  if (!file) {
    $('file-seen').textContent = ''
    check()
    return
  }
  if (!$('name').value)
    $('name').value = file.name
      .replace(/\.gz$/i, '')
      .replace(/\.(fa|fasta|fna|faa|ffn|fas|txt)$/i, '')
      .replace(/[^A-Za-z0-9._-]+/g, '_')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 64)
  const { signal } = stopper
  try {
    seen = await scan(file, signal, part => {
      $('file-seen').textContent = `Reading… ${Math.round(part * 100)} %`
    })
  } catch (error) {
    seen = {
      count: 0,
      letters: 0,
      molecule: null,
      faults: [`This file can't be read here: ${error.message}`],
      warnings: [],
    }
  }
  if (signal.aborted) return
  if (seen.molecule) $('molecule').value = seen.molecule
  $('file-seen').textContent = seen.faults.length
    ? seen.faults[0]
    : [plural(seen.count, 'sequence'), letters(seen.letters, seen.molecule), seen.molecule, ...seen.warnings.slice(0, 2)].join(' · ')
  check()
})
function reason() {
  if (!$('file').files.length) return ['Choose a FASTA file.', $('file')]
  if (!seen) return ['Reading the file…', $('file')]
  if (seen.faults.length || !seen.letters) return ["This file can't be used as it is.", $('file')]
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test($('name').value)) return ['Give it a name of letters, digits, dots and dashes.', $('name')]
  if (databases.some(one => one.name === $('name').value && one.state === 'building'))
    return ['A database of this name is being made.', $('name')]
  return null
}
const exists = () => databases.some(one => one.name === $('name').value)
function check() {
  const why = reason()
  $('make-go').setAttribute('aria-disabled', String(Boolean(why) || busy))
  $('make-why').textContent = busy
    ? ''
    : why
      ? why[0]
      : exists()
        ? 'This replaces the database of that name; searches that run keep the old one.'
        : ''
}
for (const id of ['name', 'db-title', 'molecule']) $(id).addEventListener('input', debounce(100, check))
$('make').addEventListener('submit', async event => {
  event.preventDefault()
  if (busy) return
  const why = reason()
  if (why) {
    why[1].focus()
    check()
    return
  }
  if (
    exists() &&
    !(await ask(`Replace ${$('name').value}?`, 'Searches that run keep the old one; new searches use the new one.', 'Replace'))
  )
    return
  busy = true
  check()
  show($('problem'), false)
  show($('upload'))
  const say = (part, text) => {
    if (part === null) $('upload-bar').removeAttribute('value')
    else $('upload-bar').value = part
    $('upload-text').textContent = text
  }
  const form = new FormData()
  for (const [name, value] of [
    ['name', $('name').value],
    ['title', $('db-title').value],
    ['molecule', $('molecule').value],
    ['parse_seqids', String($('parse').checked)],
    ...(exists() ? [['replace', 'true']] : []),
  ])
    form.append(name, value)
  form.append('file', $('file').files[0], $('file').files[0].name)
  try {
    const answer = await upload('/blast/databases', form, {
      progress: part => say(part, part === 1 ? 'Uploaded; makeblastdb runs…' : `Uploading ${Math.round((part ?? 0) * 100)} %`),
    })
    const task = answer.task ?? answer
    load()
    tasks()
    await follow(task, say)
  } catch (error) {
    if (error instanceof Problem) problemBox($('problem'), error)
    else failed(error)
  }
  busy = false
  show($('upload'), false)
  check()
})
async function follow(task, say) {
  const path =
    task.links?.self?.replace(/^.*?\/api/, '') ?? (task.task_id || task.id ? `/blast/database-tasks/${task.task_id ?? task.id}` : null)
  let now = task
  while (path && !['completed', 'failed', 'cancelled'].includes(now.status)) {
    say(now.progress ?? null, `makeblastdb: ${now.status}`)
    await new Promise(resolve => setTimeout(resolve, 500))
    const answer = await api(path)
    now = answer.task ?? answer
  }
  await load()
  if (now.status === 'cancelled') return
  if (now.status === 'failed') throw new Problem(422, { detail: now.error ?? 'makeblastdb failed.', code: now.error_code })
  const said = now.warnings ?? []
  $('task-warnings').replaceChildren()
  if (said.length)
    $('task-warnings').append(
      h('p', {}, `${task.name} is ready, with ${plural(said.length, 'warning')}:`),
      h('ul', {}, ...said.slice(0, 50).map(one => h('li', {}, one.text))),
    )
  show($('task-warnings'), said.length > 0)
  toast(`${task.name} is ready`)
  $('make').reset()
  seen = null
  $('file-seen').textContent = ''
}
begin(load)
load().then(check)
