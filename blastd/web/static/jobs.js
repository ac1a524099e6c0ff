// The list of jobs: live, newest first, filtered by the service, drawn only as far as it is in sight.

import {
  $,
  act,
  actionsOf,
  ago,
  announce,
  api,
  ask,
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
  toast,
  url,
  waiting,
  words,
} from './base.js'
import { VirtualList } from './vlist.js'

const STATUSES = ['queued', 'running', 'completed', 'failed', 'cancelled']
const FIRST = 30 // fills a screen, and is here soon
const PAGE = 200
const filter = { status: new Set(), q: '', program: '', from: '', to: '', database: '', owner: '' }
const FIELDS = ['q', 'program', 'from', 'to', 'database', 'owner']
const FINER = ['from', 'to', 'database', 'owner']
// The beginning of a day of this place, or of the one after it.
function dayBegin(text, days = 0) {
  const [year, month, day] = text.split('-').map(Number)
  return new Date(year, month - 1, day + days).toISOString()
}
const jobs = new Map() // all rows that were read, by id, in the order of the list
const picked = new Set()
let cursor = null
let more = true
let loading = null
let counts = {}
let generation = 0
const fresh = new Set()

// ---- reading
function address(extra) {
  const query = new URLSearchParams(extra)
  if (filter.status.size) query.set('status', [...filter.status].join(','))
  for (const name of ['q', 'program', 'database', 'owner']) if (filter[name]) query.set(name, filter[name])
  if (filter.from) query.set('since', dayBegin(filter.from))
  if (filter.to) query.set('until', dayBegin(filter.to, 1))
  return `/blast/jobs?${query}`
}
function order() {
  return [...jobs.values()].sort((a, b) =>
    b.created_at < a.created_at ? -1 : b.created_at > a.created_at ? 1 : b.job_id < a.job_id ? -1 : 1,
  )
}
async function nextPage() {
  if (loading || !more) return
  const mine = generation
  loading = api(address({ limit: PAGE, ...(cursor ? { cursor } : {}) }))
  try {
    const page = await loading
    if (mine !== generation) return
    for (const job of page.jobs) jobs.set(job.job_id, job)
    cursor = page.page.next_cursor
    more = page.page.has_more
    counts = page.counts ?? counts
    paint()
  } catch (error) {
    more = false
    failed(error)
  } finally {
    if (mine === generation) loading = null
  }
}
// Everything that is on screen and what came since, in one go: after a reconnect, and when filters change.
async function reload(keep = false) {
  generation += 1
  const mine = generation
  loading = null
  $('list').setAttribute('aria-busy', 'true')
  try {
    const page = await api(address({ limit: keep ? Math.min(500, Math.max(FIRST, jobs.size)) : FIRST }))
    if (mine !== generation) return
    // Who has scrolled further than one answer reaches keeps the older rows, and stays where they are.
    const last = page.jobs.at(-1)
    const older = keep && page.page.has_more ? order().filter(job => job.created_at < last.created_at) : []
    jobs.clear()
    if (!keep) list.reset()
    for (const job of [...page.jobs, ...older]) jobs.set(job.job_id, job)
    if (!older.length) {
      cursor = page.page.next_cursor
      more = page.page.has_more
    }
    counts = page.counts ?? {}
    paint()
  } catch (error) {
    failed(error)
  }
  if (mine === generation) $('list').setAttribute('aria-busy', 'false')
}
const filtered = () => filter.status.size > 0 || FIELDS.some(name => filter[name])

// ---- drawing
const list = new VirtualList($('list'), { key: job => job.job_id, build: buildRow, update: updateRow, near: nextPage })
function paint() {
  const rows = order()
  const all = Object.values(counts).reduce((a, b) => a + b, 0)
  const wanted = filter.status.size ? [...filter.status].reduce((sum, name) => sum + (counts[name] ?? 0), 0) : all
  list.total = more ? Math.max(wanted, rows.length) : rows.length
  list.set(rows)
  $('total').textContent = all ? plural(all, 'job') : ''
  $('more').textContent = more && rows.length ? 'Loading more…' : ''
  show($('empty'), rows.length === 0)
  if (!rows.length) {
    $('empty').replaceChildren(
      ...(filtered()
        ? [
            h('strong', {}, 'No job matches'),
            'Change the filters, or ',
            h('button', { type: 'button', class: 'small', on: { click: clearFilters } }, 'show all jobs'),
          ]
        : [h('strong', {}, 'No searches yet'), h('a', { href: url('/search') }, 'Start the first one'), '; it appears here at once.']),
    )
  }
  paintChips()
  paintBulk()
}
function paintChips() {
  const box = $('chips')
  if (!box.children.length) {
    box.replaceChildren(
      ...STATUSES.map(name =>
        h(
          'button',
          {
            type: 'button',
            data: { name },
            on: {
              click: () => {
                filter.status.has(name) ? filter.status.delete(name) : filter.status.add(name)
                keepFilter()
                reload()
              },
            },
          },
          h('span', { class: `dot ${name}`, 'aria-hidden': 'true' }),
          name[0].toUpperCase() + name.slice(1),
          h('span', { class: 'n' }),
        ),
      ),
    )
  }
  for (const button of box.children) {
    button.setAttribute('aria-pressed', filter.status.has(button.dataset.name))
    button.lastChild.textContent = count(counts[button.dataset.name] ?? 0)
  }
}
function buildRow(job) {
  const pick = h('input', {
    type: 'checkbox',
    on: {
      change: event => {
        event.target.checked ? picked.add(job.job_id) : picked.delete(job.job_id)
        list.refresh()
        paintBulk()
      },
      click: event => pickRange(event, job.job_id),
    },
  })
  const parts = {
    pick,
    chip: h('span'),
    name: h('a', { class: 'name ell' }),
    sub: h('span', { class: 'sub ell' }),
    what: h('span', { class: 'ell' }),
    what2: h('span', { class: 'sub ell' }),
    progress: h('div'),
    day: h('span', { class: 'day' }),
    when: h('div', { class: 'when c-when' }),
    menu: h(
      'button',
      {
        type: 'button',
        class: 'menu-btn',
        'aria-haspopup': 'menu',
        on: { click: event => openMenu(event.currentTarget, job.job_id) },
      },
      '⋯',
    ),
  }
  const row = h(
    'div',
    { class: 'jrow' },
    parts.day,
    h('span', { class: 'c-pick' }, pick),
    h('span', { class: 'c-chip' }, parts.chip),
    h('div', { class: 'c-name' }, parts.name, parts.sub),
    h('div', { class: 'c-what' }, parts.what, parts.what2),
    h('div', { class: 'c-prog' }, parts.progress),
    parts.when,
    h('span', { class: 'c-menu' }, parts.menu),
  )
  const element = h('div', {}, row)
  element.parts = parts
  return element
}
const DAY = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
// The day of a job where it is the first of that day in the list; rows keep their one height.
function dayOf(job, index) {
  const day = text => DAY.format(new Date(text))
  const before = list.items[index - 1]
  return before && day(before.created_at) === day(job.created_at) ? '' : day(job.created_at)
}
function updateRow(element, job, index) {
  const { parts } = element
  parts.day.textContent = dayOf(job, index)
  const name = nameOf(job)
  const was = parts.chip.firstChild?.textContent
  if (was !== words(shownStatus(job))) parts.chip.replaceChildren(chip(job.status, words(shownStatus(job))))
  parts.name.textContent = name
  parts.name.href = url(`/jobs/${job.job_id}`)
  parts.name.title = name
  parts.pick.checked = picked.has(job.job_id)
  parts.pick.setAttribute('aria-label', `Select ${name}`)
  parts.menu.setAttribute('aria-label', `Actions for ${name}`)
  element.firstChild.classList.toggle('picked', picked.has(job.job_id))
  parts.sub.replaceChildren(
    h('code', {}, job.short_id),
    ` · ${job.owner}`,
    job.source && job.source !== 'web' && job.source !== 'api' ? ` · ${words(job.source)}` : '',
    job.attempt > 1 ? ` · attempt ${job.attempt}` : '',
  )
  const databases = (job.database ?? []).join(', ')
  parts.what.textContent = `${job.task && job.task !== job.program ? `${job.program} (${job.task})` : job.program} · ${databases}`
  parts.what.title = parts.what.textContent
  parts.what2.textContent = job.query
    ? `${plural(job.query.count, 'query', 'queries')}, ${letters(job.query.letters, job.query.molecule)}`
    : ''
  paintProgress(parts.progress, job)
  paintTimes(parts.when, job)
  if (fresh.has(job.job_id)) {
    fresh.delete(job.job_id)
    element.firstChild.classList.remove('fresh')
    void element.offsetWidth
    element.firstChild.classList.add('fresh')
  }
}
const shownStatus = job => (job.phase === 'cancelling' ? 'cancelling' : job.status)
function line(className, text) {
  return h('span', { class: `sub ell ${className}`, title: text }, text)
}
function paintProgress(box, job) {
  const parts = []
  const { units_done: done = 0, units_total: total = 0, fraction, eta_seconds: eta } = job.progress ?? {}
  if (job.status === 'running') {
    const bar = h('progress', { max: 1, 'aria-label': `Progress of ${nameOf(job)}` })
    if (fraction !== null && fraction !== undefined && job.phase === 'running') bar.value = fraction
    parts.push(h('span', { class: 'ell' }, phaseWord(job.phase)), bar)
    if (!job.stale)
      parts.push(
        line(
          '',
          [
            total > 1 ? `${count(done)} of ${count(total)} units` : '',
            eta !== null && eta !== undefined ? `about ${duration(eta * 1000)} left` : '',
          ]
            .filter(Boolean)
            .join(', '),
        ),
      )
  } else if (job.status === 'queued') parts.push(h('span', { class: 'ell' }, waiting(job) ?? phaseWord(job.phase)))
  else if (job.status === 'failed')
    parts.push(h('span', { class: 'ell err', title: job.error }, words(job.error_code)), line('', job.error ?? ''))
  else if (job.status === 'completed')
    parts.push(
      h(
        'span',
        { class: 'ell' },
        job.hits === null || job.hits === undefined ? 'Results ready' : job.hits === 0 ? 'No hits' : plural(job.hits, 'hit'),
      ),
      job.limit_reached ? line('stale', 'hit limit reached') : '',
    )
  else parts.push(line('', 'Cancelled'))
  if (job.stale)
    parts.push(
      line('stale', `Not confirmed since ${ago(job.stale_since ?? job.observed_at)}${job.stale_reason ? `: ${job.stale_reason}` : ''}`),
    )
  box.replaceChildren(...parts.filter(Boolean).slice(0, 3))
}
function paintTimes(box, job) {
  const now = Date.now()
  box.replaceChildren(
    h('span', { class: 'ell' }, duration(elapsed(job, now))),
    h('span', { class: 'sub ell', title: job.created_at }, ago(job.created_at, now)),
  )
}
setInterval(() => {
  if (!document.hidden)
    for (const entry of list.shown.values()) {
      paintTimes(entry.element.parts.when, entry.item)
      if (entry.item.stale) paintProgress(entry.element.parts.progress, entry.item)
    }
}, 1000)

// ---- live
const searched = () => FIELDS.some(name => name !== 'program' && filter[name])
const matches = job => (!filter.program || job.program === filter.program) && !searched()
const lookAgain = new Set()
const lookSoon = debounce(400, async () => {
  const ids = [...lookAgain]
  lookAgain.clear()
  if (ids.length > 8) {
    reload(true)
    return
  }
  for (const id of ids)
    api(`/blast/jobs/${id}`)
      .then(take)
      .catch(error => {
        if (error.status === 404 || error.status === 410) drop(id)
      })
})
const countsSoon = debounce(900, async () => {
  try {
    counts = (await api(address({ limit: 1 }))).counts ?? counts
    paintChips()
    $('total').textContent = plural(
      Object.values(counts).reduce((a, b) => a + b, 0),
      'job',
    )
  } catch {
    /* the next event asks again */
  }
})
function drop(id) {
  if (jobs.delete(id)) {
    picked.delete(id)
    paint()
  }
}
const paintSoon = (() => {
  let waits = false
  return () => {
    if (!waits) {
      waits = true
      requestAnimationFrame(() => {
        waits = false
        paint()
      })
    }
  }
})()
function take(job) {
  const old = jobs.get(job.job_id)
  if (old && old.updated_at > job.updated_at) return
  const wanted = filter.status.size === 0 || filter.status.has(job.status)
  if (old?.status !== job.status) {
    if (old) {
      counts = {
        ...counts,
        [old.status]: Math.max(0, (counts[old.status] ?? 0) - 1),
        [job.status]: (counts[job.status] ?? 0) + 1,
      }
      fresh.add(job.job_id)
    }
    countsSoon()
  }
  if (old && !wanted && job.status !== old.status) {
    jobs.delete(job.job_id)
    paintSoon()
    return
  }
  if (!old && (!wanted || !matches(job))) {
    if (wanted && searched()) reloadSoon()
    return
  }
  // An old job that lies beyond what was read so far comes with its page.
  if (!old && more && jobs.size && job.created_at < order().at(-1).created_at) return
  if (!old) fresh.add(job.job_id)
  jobs.set(job.job_id, job)
  paintSoon()
}
const reloadSoon = debounce(600, () => reload(true))
live(
  '/blast/events',
  event => {
    if (event.kind === 'deleted' || event.kind === 'expired' || event.kind === 'removed') {
      drop(event.job_id)
      countsSoon()
      return
    }
    if (event.job) take(event.job)
    else if (event.job_id) {
      lookAgain.add(event.job_id)
      lookSoon()
    }
  },
  again => {
    if (again) reload(true)
  },
)

// ---- acting
let lastPick = null
function pickRange(event, id) {
  if (event.shiftKey && lastPick) {
    const ids = order().map(job => job.job_id)
    const [a, b] = [ids.indexOf(lastPick), ids.indexOf(id)].sort((x, y) => x - y)
    if (a >= 0) for (const one of ids.slice(a, b + 1)) event.target.checked ? picked.add(one) : picked.delete(one)
  }
  lastPick = id
}
function paintBulk() {
  for (const id of picked) if (!jobs.has(id)) picked.delete(id)
  show($('bulk'), picked.size > 0)
  $('bulk-count').textContent = `${count(picked.size)} selected`
  const can = [...picked].map(id => actionsOf(jobs.get(id)))
  for (const button of $('bulk').querySelectorAll('[data-do]'))
    if (button.dataset.do !== 'none') button.disabled = !can.some(actions => actions[button.dataset.do])
}
$('bulk').addEventListener('click', async event => {
  const what = event.target.dataset?.do
  if (!what) return
  if (what === 'none') {
    picked.clear()
    paintBulk()
    list.refresh()
    return
  }
  await doAll(
    what,
    [...picked].map(id => jobs.get(id)).filter(job => actionsOf(job)[what]),
  )
})
const PAST = { cancel: 'being cancelled', retry: 'started again', delete: 'deleted' }
async function doAll(what, chosen) {
  if (!chosen.length) return
  const names = chosen.length === 1 ? `“${nameOf(chosen[0])}”` : plural(chosen.length, 'job')
  if (
    what !== 'retry' &&
    !(await ask(
      `${what === 'delete' ? 'Delete' : 'Cancel'} ${names}?`,
      what === 'delete' ? 'The results are removed for good.' : 'The search is stopped. It can be retried later.',
      what === 'delete' ? 'Delete' : 'Cancel the search',
      what === 'delete',
    ))
  )
    return
  let done = 0
  let freed = 0
  const faults = []
  const queue = [...chosen]
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let job = queue.shift(); job; job = queue.shift()) {
        try {
          const answer = await act(what, job)
          done += 1
          freed += answer.bytes_freed ?? 0
          picked.delete(job.job_id)
          if (what === 'delete') jobs.delete(job.job_id)
          else if (answer.job_id) take(answer)
        } catch (error) {
          faults.push(error)
        }
      }
    }),
  )
  paint()
  countsSoon()
  if (done) toast(`${plural(done, 'job')} ${PAST[what]}${freed > 1e5 ? `, ${(freed / 1e6).toFixed(1)} MB freed` : ''}`)
  if (faults.length) failed(faults[0])
}
let menu = null
function closeMenu(focus) {
  if (menu) {
    const { button } = menu
    menu.element.remove()
    button.removeAttribute('aria-expanded')
    menu = null
    if (focus) button.focus()
  }
}
function openMenu(button, id) {
  if (menu?.button === button) {
    closeMenu(true)
    return
  }
  closeMenu()
  const job = jobs.get(id)
  if (!job) return
  const can = actionsOf(job)
  const item = (name, work, className = '') =>
    h(
      'button',
      {
        type: 'button',
        role: 'menuitem',
        class: className,
        on: {
          click: () => {
            closeMenu(true)
            work()
          },
        },
      },
      name,
    )
  const element = h(
    'div',
    { class: 'menu', role: 'menu', 'aria-label': `Actions for ${nameOf(job)}` },
    item('Open', () => location.assign(url(`/jobs/${id}`))),
    can.edit ? item('Edit and resubmit', () => location.assign(url(`/search?from=${id}`))) : '',
    can.cancel ? item('Cancel', () => doAll('cancel', [job])) : '',
    can.retry ? item('Retry', () => doAll('retry', [job])) : '',
    can.delete ? item('Delete', () => doAll('delete', [job]), 'danger') : '',
  )
  document.body.append(element)
  const box = button.getBoundingClientRect()
  element.style.left = `${Math.max(8, box.right + scrollX - element.offsetWidth)}px`
  element.style.top = `${box.bottom + scrollY + element.offsetHeight > scrollY + innerHeight ? box.top + scrollY - element.offsetHeight : box.bottom + scrollY}px`
  button.setAttribute('aria-expanded', 'true')
  menu = { element, button }
  element.firstChild.focus()
  element.addEventListener('keydown', event => {
    const items = [...element.children]
    const at = items.indexOf(document.activeElement)
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault()
      closeMenu(true)
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      items[(at + (event.key === 'ArrowDown' ? 1 : items.length - 1)) % items.length].focus()
    }
  })
}
document.addEventListener('click', event => {
  if (menu && !menu.element.contains(event.target) && !menu.button.contains(event.target)) closeMenu()
})

// ---- filters, kept in the address so that they can be shared and survive going back
function keepFilter() {
  const query = new URLSearchParams()
  if (filter.status.size) query.set('status', [...filter.status].join(','))
  for (const name of FIELDS) if (filter[name]) query.set(name, filter[name])
  history.replaceState(null, '', query.size ? `?${query}` : location.pathname)
}
function clearFilters() {
  filter.status.clear()
  for (const name of FIELDS) filter[name] = $(name).value = ''
  keepFilter()
  reload()
}
$('q').addEventListener(
  'input',
  debounce(250, () => {
    filter.q = $('q').value.trim()
    keepFilter()
    reload().then(() => announce(plural(jobs.size, 'job') + (more ? ' or more' : '')))
  }),
)
$('program').addEventListener('change', () => {
  filter.program = $('program').value
  keepFilter()
  reload()
})

for (const name of FINER)
  $(name).addEventListener(
    'input',
    debounce(300, () => {
      filter[name] = $(name).value.trim()
      keepFilter()
      reload().then(() => announce(plural(jobs.size, 'job') + (more ? ' or more' : '')))
    }),
  )

const given = new URLSearchParams(location.search)
filter.status = new Set((given.get('status') ?? '').split(',').filter(name => STATUSES.includes(name)))
for (const name of FIELDS) filter[name] = given.get(name) ?? ''
for (const name of ['from', 'to']) if (!/^\d{4}-\d\d-\d\d$/.test(filter[name])) filter[name] = ''
for (const name of FIELDS) $(name).value = filter[name]
$('finer').open = FINER.some(name => filter[name])
for (const name of ['blastn', 'blastp', 'blastx', 'tblastn', 'tblastx', 'psiblast', 'deltablast', 'rpsblast', 'rpstblastn'])
  $('program').append(h('option', { value: name }, name))
$('program').value = filter.program
reload()
