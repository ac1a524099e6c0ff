// What every page needs: the JSON API, DOM building without markup strings, formats, notices, theme, live events.
// Text from outside only ever becomes text nodes; nothing here parses HTML.

import { count, plural, words } from './formats.js'

export * from './formats.js'

const root = document.documentElement
export const BASE = root.dataset.base
export const url = path => BASE + path
// An element of the page by its id: the templates say of which kind it is.
/** @type {(id: string) => any} */
export const $ = id => document.getElementById(id)

// ---- DOM
function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (key === 'on') for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener)
    else if (key === 'style') for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text)
    else if (key === 'data') Object.assign(element.dataset, value)
    else if (key === 'class') element.setAttribute('class', value)
    else if (key in element && !(element instanceof SVGElement) && key !== 'list' && key !== 'role') element[key] = value
    else element.setAttribute(key, value === true ? '' : value)
  }
  element.append(...children.flat(3).filter(child => child !== null && child !== undefined && child !== false && child !== ''))
  return element
}
/** @type {(tag: string, properties?: object | null, ...children: any[]) => any} */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children)
export const s = (tag, properties, ...children) => fill(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children)
export const show = (element, visible = true) => {
  element.hidden = !visible
}
export function debounce(milliseconds, work) {
  let timer
  return (...values) => {
    clearTimeout(timer)
    timer = setTimeout(() => work(...values), milliseconds)
  }
}

export const chip = (status, text) => h('span', { class: `chip ${String(status).replace(/[^a-z]/g, '')}` }, text ?? words(status))

// ---- the API
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The service answered with status ${status}.`)
    Object.assign(this, { status, code: body.code, errors: body.errors ?? [], requestId: body.request_id })
  }
}
const headers = { 'X-Requested-With': 'blastd', Accept: 'application/json' }
// Whether this page was reached through a link to one search: then nobody needs to be signed in.
export const byLink = new URLSearchParams(location.search).has('shared')
export function toLogin() {
  if (byLink) return

  location.assign(url('/login?next=') + encodeURIComponent(location.pathname + location.search))
}
/**
 * @param {string} path
 * @param {{method?: string, json?: unknown, body?: BodyInit, signal?: AbortSignal, extra?: Record<string, string>}} [options]
 * @returns {Promise<any>} the decoded answer; throws Problem
 */
export async function api(path, { method = 'GET', json, body, signal, extra } = {}) {
  let response
  try {
    response = await fetch(url(`/api${path}`), {
      method,
      signal,
      body: json === undefined ? body : JSON.stringify(json),
      credentials: 'same-origin',
      headers: { ...headers, ...(json === undefined ? {} : { 'Content-Type': 'application/json' }), ...extra },
    })
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Problem(0, { detail: "The service can't be reached. Check the connection; nothing you entered is lost." })
  }
  const text = await response.text()
  let data = {}
  try {
    data = text ? JSON.parse(text) : {}
  } catch {
    data = response.ok ? text : { detail: text.slice(0, 300) }
  }
  if (response.status === 401) {
    toLogin()
    throw new Problem(401, data)
  }
  if (!response.ok) throw new Problem(response.status, data)
  return data
}
// fetch() can't tell how far an upload is; XMLHttpRequest can.
/**
 * @param {string} path
 * @param {FormData} form
 * @param {{extra?: Record<string, string>, progress?: (part: number | null) => void}} [options]
 * @returns {Promise<any>} the decoded answer; throws Problem
 */
export function upload(path, form, { extra = {}, progress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', url(`/api${path}`))
    for (const [name, value] of Object.entries({ ...headers, ...extra })) request.setRequestHeader(name, value)
    request.upload.onprogress = event => progress?.(event.lengthComputable ? event.loaded / event.total : null)
    request.onerror = () =>
      reject(
        new Problem(0, {
          detail: 'The upload was cut off. Nothing was submitted twice: press the button to try again.',
        }),
      )
    request.onload = () => {
      let data = {}
      try {
        data = JSON.parse(request.responseText)
      } catch {
        data = { detail: request.responseText.slice(0, 300) }
      }
      if (request.status === 401) toLogin()
      if (request.status >= 200 && request.status < 300) resolve(data)
      else reject(new Problem(request.status, data))
    }
    request.send(form)
  })
}
export function randomId() {
  // crypto.randomUUID is missing where the page came over plain HTTP
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}

// ---- notices
export function announce(text) {
  $('announce').textContent = text
}
export function toast(text, kind = '') {
  const item = h('div', { class: `toast ${kind}` }, text)
  $('toasts').append(item)
  setTimeout(() => item.remove(), kind === 'bad' ? 9000 : 4000)
}
export const failed = error => {
  if (error?.name !== 'AbortError') toast(error.message ?? String(error), 'bad')
}
export async function copy(text, what = 'Copied') {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    // no clipboard API over plain HTTP
    const area = h('textarea', { value: text, class: 'sr' })
    document.body.append(area)
    area.select()
    document.execCommand('copy')
    area.remove()
  }
  toast(what)
}
export function ask(title, text, yes, danger = false) {
  return new Promise(resolve => {
    const dialog = h(
      'dialog',
      { 'aria-labelledby': 'ask-title' },
      h('h2', { id: 'ask-title' }, title),
      h('p', {}, text),
      h(
        'div',
        { class: 'dialog-row' },
        h('button', { type: 'button', on: { click: () => dialog.close('') } }, 'Keep'),
        h('button', { type: 'button', class: danger ? 'danger' : 'primary', on: { click: () => dialog.close('yes') } }, yes),
      ),
    )
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes')
      dialog.remove()
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}
export function problemBox(box, error) {
  box.replaceChildren(h('strong', {}, error.message))
  if (error.errors?.length)
    box.append(
      h(
        'ul',
        {},
        error.errors.map(fault => h('li', {}, fault.detail)),
      ),
    )
  if (error.requestId) box.append(h('p', { class: 'help' }, 'Request ', h('code', {}, error.requestId)))
  show(box)
}

// ---- tabs, as the ARIA pattern has them: arrows move, the panel follows
export function tabs(list, panel, items, choose) {
  const pick = (key, focus) => {
    for (const button of /** @type {Iterable<HTMLElement>} */ (list.children)) {
      const on = button.dataset.key === key
      button.setAttribute('aria-selected', String(on))
      button.tabIndex = on ? 0 : -1
      if (on) {
        panel.setAttribute('aria-labelledby', button.id)
        panel.removeAttribute('aria-label')
        if (focus) button.focus()
      }
    }
    choose(key)
  }
  list.replaceChildren(
    ...items.map(([key, name]) =>
      h(
        'button',
        {
          type: 'button',
          role: 'tab',
          id: `${list.id}-${key}`,
          data: { key },
          'aria-controls': panel.id,
          on: { click: () => pick(key) },
        },
        name,
      ),
    ),
  )
  list.addEventListener('keydown', event => {
    const keys = items.map(([key]) => key)
    const at = keys.indexOf(/** @type {HTMLElement} */ (document.activeElement)?.dataset?.key)
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: keys.length - 1 }[event.key]
    if (at < 0 || to === undefined) return
    event.preventDefault()
    pick(keys[(to + keys.length) % keys.length], true)
  })
  return pick
}

// ---- live events: one stream a page in sight. A browser has six connections a host: a tab out of sight holds none, and reads
// what it missed when it is looked at.
export function live(path, onEvent, onOpen, wanted = () => true) {
  let source,
    retry,
    hidden,
    tries = 0,
    last = '',
    opened = false
  const badge = $('link-state')
  const open = () => {
    clearTimeout(retry)
    source?.close()
    source = new EventSource(url(`/api${path}`) + (last ? `?after=${encodeURIComponent(last)}` : ''))
    source.onopen = () => {
      tries = 0
      show(badge, false)
      onOpen?.(opened)
      opened = true
    }
    const take = event => {
      if (event.lastEventId) last = event.lastEventId
      try {
        onEvent(JSON.parse(event.data))
      } catch (error) {
        console.error(error)
      }
    }
    source.onmessage = take
    for (const name of ['job', 'moved', 'progress', 'deleted']) source.addEventListener(name, take)
    source.onerror = () => {
      if (!wanted()) {
        close()
        return
      }
      badge.textContent = 'Reconnecting…'
      show(badge)
      if (source.readyState === EventSource.CLOSED) {
        tries += 1
        retry = setTimeout(open, Math.min(30, 2 ** tries) * 500)
      }
    }
  }
  const close = () => {
    clearTimeout(retry)
    source?.close()
    source = null
    show(badge, false)
  }
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hidden)
    if (document.hidden) hidden = setTimeout(close, 2000)
    else if (!source && wanted()) open()
  })
  addEventListener('pagehide', close)
  addEventListener('pageshow', event => {
    if (event.persisted && wanted() && !document.hidden) open()
  })
  if (wanted() && !document.hidden) open()
  return {
    open: () => {
      if (!source && !document.hidden) open()
    },
    close,
  }
}

// ---- what a user can do to a job; shared by the list and the job page
export const ACTIVE = new Set(['queued', 'running'])
export function actionsOf(job) {
  const external = job.source === 'external'
  return {
    cancel: ACTIVE.has(job.status) && job.phase !== 'cancelling',
    retry: (job.status === 'failed' || job.status === 'cancelled') && !external,
    delete: !ACTIVE.has(job.status),
    edit: !external,
  }
}
export async function act(what, job) {
  const path = `/blast/jobs/${encodeURIComponent(job.job_id)}`
  if (what === 'delete') return api(path, { method: 'DELETE' })
  return api(`${path}/${what}`, { method: 'POST' })
}
// The user's name of a job, else what was searched: never the first id of many.
export const nameOf = job =>
  job.title ||
  (job.query?.count > 1
    ? `${plural(job.query.count, 'sequence')}: ${job.query.first_id || 'no id'} …`
    : job.query?.first_id || job.short_id)
const STEP_WORDS = {
  queued: 'Waiting',
  preparing: 'Preparing',
  warming_up: 'Warming up',
  configuring: 'Configuring',
  staging_db: 'Staging the database',
  submitting: 'Submitting',
  waiting: 'Waiting',
  submitted: 'Handed to the engine',
  running: 'Searching',
  exporting: 'Collecting results',
  results_pending: 'Waiting for results',
  cancelling: 'Cancelling',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
}
export const phaseWord = phase => STEP_WORDS[phase] ?? words(phase)
export function waiting(job) {
  if (!job.waiting_for) return null
  const what =
    { slot: 'a free slot', memory: 'memory', database: 'the database', disk: 'disk space', engine: 'the engine' }[job.waiting_for] ??
    words(job.waiting_for)
  return `Waiting for ${what}${job.queue_position ? `, position ${count(job.queue_position)}` : ''}`
}
export function elapsed(job, now = Date.now()) {
  const from = Date.parse(job.created_at)
  return (job.finished_at ? Date.parse(job.finished_at) : now) - from
}

// ---- theme and session
function theme() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  const next = { undefined: dark ? 'light' : 'dark', light: 'dark', dark: 'light' }[root.dataset.theme]
  root.dataset.theme = next
  try {
    localStorage.setItem('blastd-theme', next)
  } catch {
    /* it lasts until reload, then */
  }
  announce(`${next} theme`)
}
$('theme').addEventListener('click', theme)
// Who asks, and whether with a token: then there is something to sign out of.
export const me = location.pathname.endsWith('/login')
  ? Promise.resolve({})
  : api('/me')
      .then(found => {
        if (found.tokens) {
          $('who').textContent = found.owner + (found.role === 'admin' ? ' (admin)' : '')
          show($('who'))
          show($('signout'))
        }
        return found
      })
      .catch(() => ({}))
