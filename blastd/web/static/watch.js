// Watching the search of a job: a dialog that begins a watch, and tells of those that there are.

import { api, failed, h, plural, toast, url } from './base.js'

export function watchDialog(job) {
  const label = h('input', { id: 'watch-label', maxLength: 500, autocomplete: 'off', value: job.title })
  const known = h('p', {})
  const dialog = h(
    'dialog',
    { class: 'share', 'aria-labelledby': 'watch-title' },
    h('h2', { id: 'watch-title' }, 'Watch this search'),
    h('p', {}, 'It runs again when its databases change, in the background, and you see what is new, lost and changed for each query.'),
    known,
    h(
      'form',
      { on: { submit: make } },
      h('div', { class: 'f' }, h('label', { htmlFor: 'watch-label' }, 'What it is called'), label),
      h('button', { class: 'primary' }, 'Watch'),
    ),
    h(
      'div',
      { class: 'dialog-row' },
      h('a', { class: 'button', href: url('/watches') }, 'All watches'),
      h('button', { type: 'button', on: { click: () => dialog.close() } }, 'Close'),
    ),
  )
  async function make(event) {
    event.preventDefault()
    try {
      await api('/blast/watches', { method: 'POST', json: { job: job.job_id, label: label.value.trim() } })
      toast('It is watched')
      dialog.close()
    } catch (error) {
      failed(error)
    }
  }
  api(`/blast/watches?job=${job.job_id}`)
    .then(found => {
      if (found.watches.length) known.textContent = `This search is a run of ${plural(found.watches.length, 'watch', 'watches')} already.`
    })
    .catch(failed)
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
