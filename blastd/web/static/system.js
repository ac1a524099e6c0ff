// How the service is: queue, slots, engines, disk, parts and versions.

import { $, ago, api, bytes, chip, count, duration, failed, h, when, words } from './base.js'

const tile = (name, value, detail, meter) =>
  h(
    'div',
    { class: 'panel tile' },
    h('span', { class: 'dim' }, name),
    h('b', {}, value),
    detail ? h('span', { class: 'help' }, detail) : '',
    meter === undefined ? '' : h('progress', { class: 'meter', max: 1, value: meter, 'aria-label': name }),
  )
const table = (columns, rows) =>
  h(
    'div',
    { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': columns[0] },
    h(
      'table',
      { class: 'simple' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map(name => h('th', { scope: 'col' }, name)),
        ),
      ),
      h('tbody', {}, rows),
    ),
  )

let versions = {}
async function load() {
  try {
    let health
    try {
      health = await api('/health')
    } catch (error) {
      if (error.status !== 503) throw error
      health = { status: 'down', components: [], ...error }
    }
    paint(health)
    $('as-of').textContent = `as of ${new Date().toLocaleTimeString()}`
  } catch (error) {
    failed(error)
    $('as-of').textContent = error.message
  }
  setTimeout(load, document.hidden ? 15000 : 3000)
}
function paint(health) {
  $('overall').className = `chip ${health.status}`
  $('overall').textContent = { ok: 'all is well', degraded: 'degraded', down: 'down' }[health.status] ?? words(health.status)
  const { queue = {}, disk = {} } = health
  const tiles = []
  if (queue.running !== undefined) tiles.push(tile('Running', count(queue.running), 'searches'))
  if (queue.queued !== undefined) tiles.push(tile('Waiting', count(queue.queued), 'searches'))
  if (queue.slots !== undefined)
    tiles.push(
      tile('Slots', `${count(queue.slots_busy)} / ${count(queue.slots)}`, 'in use', queue.slots ? queue.slots_busy / queue.slots : 0),
    )
  if (disk.total_bytes)
    tiles.push(
      tile(
        'Free disk',
        bytes(disk.free_bytes),
        `of ${bytes(disk.total_bytes)}${disk.floor_bytes ? `; new searches stop under ${bytes(disk.floor_bytes)}` : ''}`,
        1 - disk.free_bytes / disk.total_bytes,
      ),
    )
  if (disk.state_bytes) tiles.push(tile('Stored results', bytes(disk.state_bytes)))
  if (health.uptime_seconds !== undefined)
    tiles.push(tile('Up for', duration(health.uptime_seconds * 1000), health.started_at ? `since ${when(health.started_at)}` : ''))
  $('tiles').replaceChildren(...tiles)
  $('tiles').setAttribute('aria-busy', 'false')
  const parts = Array.isArray(health.components)
    ? health.components
    : Object.entries(health.components ?? {}).map(([name, one]) => ({
        name,
        ...(typeof one === 'string' ? { status: one } : one),
      }))
  $('components').replaceChildren(
    table(
      ['Part', 'State', 'Detail'],
      parts.map(one =>
        h(
          'tr',
          {},
          h('td', {}, words(one.name)),
          h('td', {}, chip(one.status)),
          h('td', {}, one.detail ?? '', one.since ? h('span', { class: 'dim' }, ` since ${ago(one.since)}`) : ''),
        ),
      ),
    ),
  )
  const engines = health.engines ?? []
  $('engines').replaceChildren(
    engines.length
      ? table(
          ['Engine', 'State', 'Running', 'Slots', 'Detail'],
          engines.map(one =>
            h(
              'tr',
              {},
              h('td', {}, one.name),
              h('td', {}, chip(one.status)),
              h('td', {}, count(one.running)),
              h('td', {}, one.slots ? `${count(one.slots_busy)} of ${count(one.slots)}` : '–'),
              h('td', {}, one.detail ?? ''),
            ),
          ),
        )
      : h('p', { class: 'dim' }, 'No engine has reported.'),
  )
  const all = { blastd: health.version, ...versions }
  $('versions').replaceChildren(
    ...Object.entries(all)
      .filter(([, value]) => value && typeof value !== 'object')
      .flatMap(([name, value]) => [h('dt', {}, name === 'version' ? 'blastd' : words(name)), h('dd', {}, String(value))]),
  )
}
api('/version')
  .then(found => {
    versions = found.version ? { ...found, blastd: found.version, version: undefined } : found
  })
  .catch(() => {})
  .finally(load)
