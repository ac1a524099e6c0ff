// Links to one search: made, copied, listed and ended in a dialog.

import { api, copy, failed, h, url, when } from './base.js'

const DAYS = [
  [7, 'in a week'],
  [30, 'in 30 days'],
  [180, 'in half a year'],
]

// The address of a link that shows the view that is open now.
const address = made => `${location.origin}${made.url}${location.hash}`

export function shareDialog(job) {
  const path = `/blast/jobs/${job.job_id}/shares`
  const list = h('ul', { class: 'share-list' })
  const fresh = h('div', {})
  const label = h('input', { id: 'share-label', maxLength: 200, autocomplete: 'off', placeholder: 'such as: for the lab meeting' })
  const days = h(
    'select',
    { id: 'share-days' },
    DAYS.map(([n, name]) => h('option', { value: n, selected: n === 30 }, name)),
  )
  const dialog = h(
    'dialog',
    { class: 'share', 'aria-labelledby': 'share-title' },
    h('h2', { id: 'share-title' }, 'Share this search'),
    h('p', {}, 'Who has the link can read this search and nothing else, and change nothing.'),
    h(
      'form',
      { on: { submit: make } },
      h('div', { class: 'f' }, h('label', { htmlFor: 'share-label' }, 'For whom'), label),
      h('div', { class: 'f' }, h('label', { htmlFor: 'share-days' }, 'The link ends'), days),
      h('button', { class: 'primary' }, 'Make a link'),
    ),
    fresh,
    list,
    h('div', { class: 'dialog-row' }, h('button', { type: 'button', on: { click: () => dialog.close() } }, 'Close')),
  )
  async function make(event) {
    event.preventDefault()
    try {
      const made = await api(path, { method: 'POST', json: { label: label.value.trim(), days: Number(days.value) } })
      const text = address(made)
      fresh.replaceChildren(
        h('p', {}, 'The link, which is shown this once: '),
        h(
          'div',
          { class: 'copy-row' },
          h('input', { readOnly: true, value: text, 'aria-label': 'The link', class: 'share-link' }),
          h('button', { type: 'button', on: { click: () => copy(text, 'Link copied') } }, 'Copy'),
        ),
      )
      await load()
    } catch (error) {
      failed(error)
    }
  }
  const paint = found =>
    list.replaceChildren(
      ...found.shares.map(one =>
        h(
          'li',
          {},
          h('b', {}, one.label || 'without a label'),
          ` · ${one.state === 'open' ? `ends ${when(one.expires_at)}` : one.state} `,
          one.state === 'open'
            ? h(
                'button',
                {
                  type: 'button',
                  class: 'quiet small danger',
                  'aria-label': `End the link ${one.label || one.share_id}`,
                  on: { click: () => api(`${path}/${one.share_id}`, { method: 'DELETE' }).then(paint).catch(failed) },
                },
                'End it',
              )
            : '',
        ),
      ),
    )
  const load = () => api(path).then(paint)
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  load().catch(failed)
}

export const shownByLink = h(
  'p',
  { class: 'note' },
  'You read this search through a link. ',
  h('a', { href: url('/search') }, 'Search yourself'),
  '.',
)
