// Sequences of one's own to search in, in place of a database: pasted or a file, read here as the query is.

import { $, announce, bytes, count, debounce, h, letters, plural, show } from './base.js'
import { scan } from './fasta.js'

const KEPT = 200_000 // letters of a draft; a chosen file must be chosen again after a reload

export class OwnSubjects {
  on = false
  file = null
  seen = null
  reading = false

  constructor(changed) {
    this.changed = changed
    $('own').addEventListener('change', event => this.turn(event.target.checked))
    $('subject').addEventListener('input', () => this.read())
    $('choose-subject').addEventListener('change', event => {
      this.take(event.target.files[0])
      event.target.value = ''
    })
    this.read = debounce(120, () => this.scan())
  }
  get source() {
    return this.file ?? $('subject').value
  }
  get name() {
    return this.file?.name ?? 'subjects.fa'
  }
  get given() {
    return this.file !== null || /\S/.test($('subject').value)
  }
  get draft() {
    return { on: this.on, text: $('subject').value.length <= KEPT ? $('subject').value : '' }
  }
  // Takes what `draft` gave, before a reload.
  restore(draft) {
    $('subject').value = draft?.text ?? ''
    this.take(null)
    this.turn(Boolean(draft?.on))
  }
  turn(on) {
    this.on = $('own').checked = on
    show($('own-box'), on)
    for (const id of ['databases', 'db-note']) show($(id), !on)
    if (on) show($('db-filter'), false)
    this.changed()
  }
  take(file) {
    this.file = file ?? null
    if (file) {
      $('subject').value = ''
      announce(`${file.name} chosen`)
    }
    show($('subject'), !file)
    show($('subject-file'), Boolean(file))
    $('subject-file').replaceChildren(
      ...(file
        ? [
            h('strong', {}, file.name || 'file'),
            h('span', { class: 'dim' }, bytes(file.size)),
            h('span', { class: 'spring' }),
            h('button', { type: 'button', class: 'small', on: { click: () => this.take(null) } }, 'Remove'),
          ]
        : []),
    )
    this.read()
  }
  async scan() {
    this.scanner?.abort()
    this.scanner = new AbortController()
    const { signal } = this.scanner
    this.seen = null
    this.reading = this.given
    this.changed()
    if (this.given) {
      try {
        const seen = await scan(this.source, signal)
        if (!seen) return
        this.seen = seen
      } catch (error) {
        if (signal.aborted) return
        const faults = [`This file can't be read here: ${error.message}`]
        this.seen = { count: 0, letters: 0, molecule: null, faults, warnings: [] }
      }
    }
    this.reading = false
    this.changed()
  }
  text() {
    return this.seen?.count ? `${plural(this.seen.count, 'sequence')} of your own, ${letters(this.seen.letters, this.seen.molecule)}` : '–'
  }
  // Says what was read, and returns why these can't be searched by *program*, which needs *molecule*; null if they can.
  reason(program, molecule) {
    const { seen } = this
    $('subject-seen').textContent = this.reading ? 'Reading…' : seen?.count ? `${count(seen.count)} read.` : ''
    $('subject-faults').replaceChildren(...(seen?.faults ?? []).map(text => h('li', {}, text)))
    show($('subject-faults'), Boolean(seen?.faults.length))
    if (!this.given) return 'Paste or choose the sequences to search in.'
    if (this.reading || !seen) return 'Reading the sequences to search in…'
    if (seen.faults.length) return `Sequences to search in: ${seen.faults[0]}`
    if (molecule && seen.molecule && seen.molecule !== molecule)
      return `${program} searches ${molecule} sequences; those to search in look like ${seen.molecule}.`
    return null
  }
}
