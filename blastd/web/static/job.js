// One job: where it stands, live; where its time went; its results by query, in tabs that load when they are opened.

import {
  $,
  ACTIVE,
  act,
  actionsOf,
  ago,
  announce,
  api,
  ask,
  byLink,
  chip,
  count,
  debounce,
  duration,
  elapsed,
  failed,
  h,
  letters,
  live,
  nameOf,
  phaseWord,
  plural,
  show,
  tabs,
  toast,
  url,
  waiting,
  when,
  words,
} from './base.js'
import { alignments } from './alignments.js'
import { Answer } from './answer.js'
import { EMPTY as NO_FILTERS, descriptions } from './descriptions.js'
import { graphic } from './graphic.js'
import { downloads, logs, methods, organismsText } from './outputs.js'
import { plots } from './plots.js'
import { Queries } from './queries.js'
import { EMPTY as ALL_QUERIES, queryTable } from './query_table.js'
import { remedy } from './remedy.js'
import { shareDialog, shownByLink } from './share.js'
import { EMPTY as ALL_TAXA, taxa } from './taxa.js'
import { timeline } from './timeline.js'
import { watchDialog } from './watch.js'

const ident = $('job').dataset.id
/** @type {[string, string, (panel: HTMLElement, context: any) => {stop: () => void, busy: () => boolean}][]} */
const TABS = [
  ['queries', 'Queries', queryTable],
  ['descriptions', 'Descriptions', descriptions],
  ['graphic', 'Graphic summary', graphic],
  ['alignments', 'Alignments', alignments],
  ['taxa', 'Taxa', taxa],
  ['statistics', 'Statistics', plots],
  ['download', 'Download', downloads],
  ['log', 'Log', logs],
  ['methods', 'Methods', methods],
]
const RESULTS = new Set(['queries', 'descriptions', 'graphic', 'alignments', 'taxa', 'statistics'])
const state = { job: null, tab: '', query: null, view: null, subject: null, memory: {}, unitsShown: -1 }
let queries = null
// Sorts and filters of a tab, which are part of the address.
const VIEWS = { queries: ALL_QUERIES, descriptions: NO_FILTERS, taxa: ALL_TAXA }
const answer = new Answer(
  $('answer'),
  values => {
    state.memory.queries = { ...ALL_QUERIES, ...values }
    pickTab('queries')
  },
  () => state.tab === 'queries' && paintTab(),
)
// Organisms are told where hits have some and there is a taxonomy that names them.
const hasTaxa = () => Boolean(answer.found?.organisms)
const offeredTabs = () => TABS.filter(([key]) => (key !== 'queries' || many()) && (key !== 'taxa' || hasTaxa()))

// ---- head
function paintHead() {
  const { job } = state
  document.title = `${job.status === 'running' ? '● ' : ''}${nameOf(job)} · blastd`
  const shown = job.phase === 'cancelling' ? 'cancelling' : job.status
  if ($('chip').textContent !== shown) {
    $('chip').replaceChildren(chip(job.status, shown))
    if (state.painted) announce(`The search is ${shown}`)
  }
  $('job-title').textContent = nameOf(job)
  const fact = (name, value, title) => h('span', { title }, `${name} `, h('b', {}, value))
  $('facts').replaceChildren(
    fact('Program', job.task && job.task !== job.program ? `${job.program} (${job.task})` : job.program),
    fact('Database', job.database.join(', ')),
    job.organisms?.length ? fact('Only', organismsText(job.organisms)) : '',
    job.exclude_organisms?.length ? fact('Without', organismsText(job.exclude_organisms)) : '',
    fact('Query', `${plural(job.query.count, 'sequence')}, ${letters(job.query.letters, job.query.molecule)}`),
    fact('By', job.owner),
    fact('Submitted', ago(job.created_at), when(job.created_at)),
    job.status === 'completed' ? fact('Took', duration(elapsed(job))) : '',
    h('code', { title: 'Id of this search' }, job.short_id),
  )
  paintActions()
  paintState()
  paintNotes()
  const [summary, chart] = timeline(job)
  timeSum.textContent = summary
  timeChart.replaceChildren(chart)
  placeTimeline()
  state.painted = true
}
// While a search goes on its course stands in the head; of one that has ended it is told in the methods, closed.
const timeBox = $('time')
const timeSum = $('time-sum')
const timeChart = $('timeline')
function placeTimeline() {
  const live = ACTIVE.has(state.job.status)
  if (live === state.timeLive) return
  state.timeLive = live
  timeBox.open = live
  if (live) document.querySelector('.job-head').append(timeBox)
  else if (state.tab === 'methods') $('panel').append(timeBox)
  else timeBox.remove()
}
// What BLAST+ refuses once it refuses again: then the search is edited, not retried.
const MUST_FAIL_AGAIN = new Set(['bad_input', 'engine_error', 'database_error'])
const retryHelps = job => job.status !== 'failed' || !MUST_FAIL_AGAIN.has(job.error_code)
const edit = kind => h('a', { class: kind, href: url(`/search?from=${state.job.job_id}`) }, 'Edit and resubmit')
function paintActions() {
  if (byLink) return
  const can = actionsOf(state.job)
  const key = JSON.stringify([can, retryHelps(state.job)])
  if (state.actionKey === key) return
  state.actionKey = key
  const button = (name, what, className = '') => h('button', { type: 'button', class: className, on: { click: () => doIt(what) } }, name)
  $('actions').replaceChildren(
    ...[
      can.cancel ? button('Cancel', 'cancel') : '',
      ...(retryHelps(state.job)
        ? [can.retry ? button('Retry', 'retry', 'primary') : '', can.edit ? edit('button') : '']
        : [can.edit ? edit('button primary') : '', can.retry ? button('Retry', 'retry') : '']),
      h('button', { type: 'button', on: { click: () => shareDialog(state.job) } }, 'Share'),
      state.job.source === 'external' ? '' : h('button', { type: 'button', on: { click: () => watchDialog(state.job) } }, 'Watch'),
      can.delete ? button('Delete', 'delete', 'danger') : '',
    ].filter(Boolean),
  )
}
async function doIt(what) {
  const { job } = state
  if (what === 'delete' && !(await ask(`Delete “${nameOf(job)}”?`, 'The results are removed for good.', 'Delete', true))) return
  if (
    what === 'cancel' &&
    !(await ask('Cancel this search?', 'It is stopped now. It can be retried later, and keeps what is done.', 'Cancel the search'))
  )
    return
  try {
    const answer = await act(what, job)
    if (what === 'delete') {
      toast('Deleted')
      location.assign(url('/jobs'))
      return
    }
    if (answer.job_id && answer.status) take({ ...job, ...answer })
    refresh()
  } catch (error) {
    failed(error)
  }
}
function paintState() {
  const { job } = state
  const parts = []
  const { units_done: done = 0, units_total: total = 0, fraction, eta_seconds: eta, eta_from: from } = job.progress ?? {}
  if (ACTIVE.has(job.status)) {
    const bar = h('progress', { max: 1, 'aria-label': 'Progress of the search' })
    if (fraction !== null && fraction !== undefined && job.phase === 'running') bar.value = fraction
    parts.push(
      h(
        'div',
        { class: 'bar' },
        h('strong', {}, waiting(job) ?? phaseWord(job.phase)),
        job.status === 'running' ? bar : '',
        h(
          'span',
          { class: 'num dim' },
          [
            total > 1 ? `${count(done)} of ${count(total)} units` : '',
            fraction ? `${Math.round(fraction * 100)} %` : '',
            eta !== null && eta !== undefined ? `about ${duration(eta * 1000)} left${from ? ` (from ${from})` : ''}` : '',
          ]
            .filter(Boolean)
            .join(' · '),
        ),
      ),
    )
  }
  const box = $('state')
  const key = parts.map(part => part.textContent).join('|')
  if (box.dataset.key !== key) {
    box.dataset.key = key
    box.replaceChildren(...parts)
  } else box.querySelector('progress')?.replaceWith(parts[0].querySelector('progress'))
}
// The options that the error means lead to their fields.
function meant(job) {
  const names = job.error_options ?? []
  if (!names.length) return []
  const link = name => h('a', { href: url(`/search?from=${job.job_id}&field=${name}`) }, h('code', {}, `-${name}`))
  return ['It is about ', ...names.flatMap((name, at) => [at ? ' and ' : '', link(name)]), '. ']
}
// Warnings of the whole search, each with what to do about it; those of single queries are in the table of queries.
function warningNotes(job) {
  const whole = job.warnings.filter(one => !one.query || !many())
  const single = job.warnings.length - whole.length
  const action = text => {
    const [values, name] = remedy(text)
    return byLink ? '' : [' ', h('a', { href: url(`/search?from=${job.job_id}&${values}`) }, name), '.']
  }
  const notes = whole.slice(0, 5).map(one => h('p', { class: 'note warn' }, one.text, action(one.text)))
  if (whole.length > 5)
    notes.push(
      h(
        'details',
        { class: 'note warn' },
        h('summary', {}, `${count(whole.length - 5)} more warnings`),
        h(
          'ul',
          {},
          whole.slice(5, 200).map(one => h('li', {}, one.text)),
        ),
      ),
    )
  if (single) {
    const see = event => {
      event.preventDefault()
      state.memory.queries = { ...ALL_QUERIES, warned: 'true' }
      pickTab('queries')
    }
    notes.push(
      h(
        'p',
        { class: 'note warn' },
        `${plural(single, 'remark')} on queries. `,
        h('a', { href: '#queries?warned=true', on: { click: see } }, 'Show these queries'),
        '.',
      ),
    )
  }
  return notes
}
function paintNotes() {
  const { job } = state
  const notes = byLink ? [shownByLink] : []
  if (job.status === 'failed' || (job.error && ACTIVE.has(job.status)))
    notes.push(
      h(
        'div',
        { class: 'note bad', role: 'alert' },
        h('strong', {}, words(job.error_code ?? 'failed')),
        h('p', {}, job.error ?? ''),
        job.status === 'failed'
          ? h('p', { class: 'help' }, ...meant(job), 'The log tab has the messages of BLAST+ and of the engine.')
          : '',
      ),
    )
  if (job.stale)
    notes.push(
      h(
        'p',
        { class: 'note warn' },
        h('strong', {}, `Not confirmed since ${when(job.stale_since ?? job.observed_at)}. `),
        job.stale_reason ?? "The engine can't be asked at present; nothing is lost.",
      ),
    )
  if (job.warnings?.length) notes.push(...warningNotes(job))
  if (job.reused_from)
    notes.push(
      h(
        'p',
        { class: 'note' },
        'The same search had been run before on the same database, so its result is shown: ',
        h('a', { href: url(`/jobs/${job.reused_from}`) }, job.reused_from.slice(0, 8)),
        '.',
      ),
    )
  if (job.source === 'external') notes.push(h('p', { class: 'note' }, 'This run was started outside blastd and is only watched here.'))
  const key = JSON.stringify([
    job.status,
    job.error,
    job.stale,
    job.stale_since,
    job.stale_reason,
    job.limit_reached,
    job.warnings,
    job.reused_from,
  ])
  if (state.notesKey !== key) {
    state.notesKey = key
    $('notes').replaceChildren(...notes)
  }
}

// ---- results
const many = () => state.job.query.count > 1
const partial = () => state.job.status !== 'completed'
function waitingPanel() {
  const { job } = state
  const text = {
    queued: ['Not started yet', waiting(job) ?? 'It starts as soon as there is room.'],
    running: ['Nothing to show yet', 'Results appear here as soon as the first part is done.'],
    failed: ['No results', 'The search failed; the reason stands above.'],
    cancelled: ['No results', 'The search was cancelled. Retry goes on with what was done.'],
  }[job.status]
  $('panel').replaceChildren(h('div', { class: 'empty' }, h('strong', {}, text[0]), text[1]))
  return { stop() {}, busy: () => false }
}
// The address is the view. What a person chooses is a step that Back undoes; the first view of the page is none.
function openTab(key) {
  state.tab = key
  paintTab()
  keepAddress(state.begun)
}
// A step (push) is one that Back undoes; typing into a filter is none.
function keepAddress(push) {
  const { tab, query, subject } = state
  const numbers = tab === 'queries' ? '' : `${query ? `/${query.query}` : ''}${subject ? `/${subject.rank}` : ''}`
  const values = new URLSearchParams(Object.entries(state.memory[tab] ?? {}).filter(([name, value]) => value && name in (VIEWS[tab] ?? {})))
  const wanted = `#${tab}${numbers}${values.size ? `?${values}` : ''}`
  if (location.hash === wanted) return
  if (push) history.pushState(null, '', wanted)
  else history.replaceState(null, '', wanted)
}
// The tab, the numbers of query and subject, and the filters that the address names.
function readAddress() {
  const [path, values] = location.hash.slice(1).split('?')
  const [tab, number, rank] = path.split('/')
  const empty = VIEWS[tab]
  if (empty) {
    const given = [...new URLSearchParams(values ?? '')].filter(([name]) => name in empty)
    state.memory[tab] = { ...empty, ...Object.fromEntries(given) }
  }
  return { tab, number: Number(number) || null, rank: Number(rank) || null }
}
function paintTab() {
  state.view?.stop()
  const { job, tab } = state
  state.unitsShown = job.progress?.units_done ?? 0
  $('panel').replaceChildren()
  paintQueryBar()
  if (RESULTS.has(tab) && partial() && !(job.progress?.units_done > 0)) {
    state.view = waitingPanel()
    return
  }
  if (tab === 'download' && partial() && !(job.progress?.units_done > 0)) {
    state.view = waitingPanel()
    return
  }
  const context = {
    job,
    many: many(),
    query: state.query?.query ?? (many() ? null : 1),
    queryId: state.query?.id ?? (many() ? null : job.query.first_id),
    queryLength: state.query?.length ?? (many() ? null : job.query.letters),
    partial: partial(),
    memory: state.memory,
    subject: state.subject,
    openSubject,
    answer: () => answer.found,
    changed: keepAddress,
    openQuery: row => {
      state.query = row
      state.subject = null
      if (queries) {
        queries.current = row
        queries.list.refresh()
        queries.show()
      }
      pickTab('descriptions')
    },
  }
  state.view = TABS.find(([key]) => key === tab)[2]($('panel'), context)
  if (tab === 'methods' && !ACTIVE.has(job.status)) $('panel').append(timeBox)
}
// Show the alignments of one row of hits; null: of all.
function openSubject(row) {
  state.subject = row ? { query: row.query, rank: row.rank } : null
  pickTab('alignments', true)
  $('tabs').scrollIntoView({ block: 'nearest' })
}
function paintQueryBar() {
  const visible = many() && RESULTS.has(state.tab) && state.tab !== 'queries'
  show($('queries'), Boolean(queries) && state.tab !== 'queries')
  show($('query-bar'), visible)
  if (!visible) return
  const row = state.query
  $('query-bar').replaceChildren(
    h('button', { type: 'button', class: 'small', 'aria-label': 'Previous query', on: { click: () => queries?.move(-1) } }, '‹'),
    h('button', { type: 'button', class: 'small', 'aria-label': 'Next query', on: { click: () => queries?.move(1) } }, '›'),
    h(
      'span',
      { class: 'what' },
      row
        ? [
            h('strong', {}, `Query ${count(row.query)} of ${count(state.job.query.count)}: `),
            h('code', {}, row.id),
            row.title && row.title !== row.id
              ? ` ${(row.title.startsWith(`${row.id} `) ? row.title.slice(row.id.length + 1) : row.title).slice(0, 160)}`
              : '',
          ]
        : h('strong', {}, 'All queries'),
    ),
    row?.warnings?.length
      ? h(
          'span',
          { class: 'chip warn', title: row.warnings.map(one => one.text ?? one).join('\n') },
          plural(row.warnings.length, 'warning'),
        )
      : '',
    row?.limit_reached ? h('span', { class: 'chip warn' }, 'limit reached') : '',
  )
}
async function beginQueries() {
  if (!many() || queries || (partial() && !(state.job.progress?.units_done > 0))) return
  queries = new Queries($('queries'), state.job.job_id, partial, row => {
    state.query = row
    state.subject = null
    openTab(state.tab)
  })
  queries.mount()
  show($('queries'))
  await queries.load()
  const wanted = readAddress().number
  const row = (wanted ? await queries.reach(wanted) : null) ?? queries.rows.find(one => one.hits > 0) ?? queries.rows[0]
  if (row) {
    state.query = row
    queries.current = row
    queries.list.refresh()
    queries.show()
  }
}
const moreResults = debounce(700, async () => {
  await answer.load(state.job)
  await (queries ? queries.load(true) : beginQueries().catch(failed))
  const current = queries?.current
  if (current) state.query = current
  if (RESULTS.has(state.tab) && !state.view?.busy()) paintTab()
})

// ---- live
let pickTab = null
let stream = null
async function take(job) {
  const old = state.job
  if (old && old.updated_at > job.updated_at) return
  state.job = { ...old, ...job }
  paintHead()
  const done = job.progress?.units_done ?? 0
  if (!old) return
  if (old.status !== job.status) {
    // the end, or a retry
    if (ACTIVE.has(job.status)) stream?.open()
    else stream?.close()
    detailSoon()
    if (job.status === 'completed') {
      await answer.load(state.job)
      layTabs()
      await queries?.load(true)
      state.query = queries?.current ?? state.query
      if (!state.query && many()) await beginQueries()
    }
    if (!ACTIVE.has(job.status) || RESULTS.has(state.tab)) pickTab(state.tab)
  } else if (done > state.unitsShown && ACTIVE.has(job.status)) {
    if (state.unitsShown <= 0) paintTab()
    moreResults()
  }
}
// Events carry the row; command, files and databases come with the detail.
async function refresh() {
  try {
    const job = await api(`/blast/jobs/${encodeURIComponent(ident)}`)
    const first = !state.job
    if (first) {
      state.job = job
      await begin()
    } else await take(job)
  } catch (error) {
    if (state.job) {
      if (error.status === 404 || error.status === 410) gone(error)
      return
    }
    show($('loading'), false)
    gone(error)
  }
}
const detailSoon = debounce(150, refresh)
function gone(error) {
  show($('loaded'), false)
  show($('missing'))
  const title =
    byLink && error.status === 401
      ? 'This link has ended'
      : error.status === 410
        ? 'This job is gone'
        : error.status === 404
          ? 'There is no such job'
          : error.status === 409
            ? 'More than one job begins like this'
            : "This job can't be shown now"
  $('missing').replaceChildren(h('h1', {}, title), h('p', {}, error.message), h('p', {}, h('a', { href: url('/jobs') }, 'All jobs')))
}
// The tabs that there are; again when the end of a search brings one more.
function layTabs() {
  const offered = offeredTabs().map(([key, name]) => [key, name])
  if (offered.length === state.tabs) return
  state.tabs = offered.length
  const list = h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Results', id: 'tabs' })
  $('tabs').replaceWith(list)
  pickTab = tabs(list, $('panel'), offered, key => {
    if (key !== 'alignments') state.subject = null
    openTab(key)
  })
}
async function begin() {
  show($('loading'), false)
  show($('loaded'))
  paintHead()
  await answer.load(state.job)
  layTabs()
  const { tab: wanted, rank } = readAddress()
  const first = many() ? 'queries' : 'descriptions'
  const start = offeredTabs().some(([key]) => key === wanted) ? wanted : state.job.status === 'failed' ? 'log' : first
  const queriesKnown = many() ? beginQueries().catch(failed) : null
  if (start !== 'queries') await queriesKnown
  if (start === 'alignments' && rank) state.subject = { query: state.query?.query ?? 1, rank }
  pickTab(start)
  state.begun = true
  stream = live(
    `/blast/jobs/${state.job.job_id}/events`,
    event => {
      if (event.kind === 'deleted' || event.kind === 'expired') {
        gone({ status: 410, message: 'It was deleted.' })
        return
      }
      if (event.job) take(event.job)
      else detailSoon()
    },
    again => {
      if (again) refresh()
    },
    () => ACTIVE.has(state.job.status),
  ) // an ended job sends nothing more
  setInterval(() => {
    if (document.hidden || !ACTIVE.has(state.job.status)) return
    const [summary, chart] = timeline(state.job)
    timeSum.textContent = summary
    timeChart.replaceChildren(chart)
  }, 500)
}
// An address that was typed or pasted over this one: its tab, and its query.
addEventListener('hashchange', async () => {
  if (!pickTab) return
  const { tab, number, rank } = readAddress()
  if (!offeredTabs().some(([key]) => key === tab)) return
  const row = number ? await queries?.reach(number) : null
  if (row) {
    state.query = queries.current = row
    queries.list.refresh()
    queries.show()
  }
  state.subject = rank ? { query: state.query?.query ?? 1, rank } : null
  pickTab(tab)
})
document.addEventListener('keydown', (/** @type {any} */ event) => {
  if (!queries || event.target.matches?.('input, textarea, select') || event.altKey || event.ctrlKey || event.metaKey) return
  if (event.key === 'n' || event.key === 'j') queries.move(1)
  else if (event.key === 'p' || event.key === 'k') queries.move(-1)
})
refresh()
