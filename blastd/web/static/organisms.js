// Organisms that a search is limited to or that it leaves out: two comboboxes that find taxa of the chosen databases while
// somebody types. What was chosen stands as chips before the field.

import { announce, api, count, debounce, h, plural, show } from './base.js'

const label = taxon => (taxon.name ? `${taxon.name} (taxid:${taxon.taxid})` : String(taxon.taxid))

class Combobox {
  found = []
  active = -1
  chosen = []

  constructor(id, databases, changed) {
    this.databases = databases
    this.changed = changed
    this.box = document.getElementById(id)
    this.input = this.box.querySelector('input')
    this.list = this.box.querySelector('[role=listbox]')
    this.chips = this.box.querySelector('.chosen')
    this.note = this.box.querySelector('.help')
    this.input.addEventListener('input', () => this.look())
    this.input.addEventListener('focus', () => this.input.value.trim() && this.look())
    this.input.addEventListener('blur', () => this.close())
    this.input.addEventListener('keydown', event => this.key(event))
    this.look = debounce(120, () => this.ask())
  }
  async ask() {
    const text = this.input.value.trim()
    this.asked?.abort()
    if (!text) return this.close()
    this.asked = new AbortController()
    const { signal } = this.asked
    const query = new URLSearchParams({ q: text, molecule: this.databases().molecule })
    for (const name of this.databases().names) query.append('database', name)
    if (!query.has('database')) return this.say('Choose a database first: only organisms that it holds are found.')
    try {
      const answer = await api(`/blast/taxa?${query}`, { signal })
      if (signal.aborted) return
      this.found = answer.taxa.filter(taxon => !this.chosen.includes(label(taxon)))
      this.paint(answer.names ? '' : 'There is no taxonomy here: only ids are found.')
    } catch (error) {
      if (!signal.aborted) this.say(error.message)
    }
  }
  say(text) {
    this.found = []
    this.paint(text)
  }
  paint(text) {
    this.active = this.found.length ? 0 : -1
    this.note.textContent = text || (this.found.length ? '' : 'The databases hold no organism that is called so.')
    this.list.replaceChildren(
      ...this.found.map((taxon, at) =>
        h(
          'li',
          {
            id: `${this.list.id}-${at}`,
            role: 'option',
            'aria-selected': String(at === this.active),
            on: { mousedown: event => this.pick(event, at) },
          },
          h('span', { class: 'row' }, h('em', {}, taxon.name || String(taxon.taxid)), taxon.common_name ? ` ${taxon.common_name}` : ''),
          h(
            'span',
            { class: 'd' },
            [taxon.rank, taxon.lineage.slice(-2).join(' › '), plural(taxon.sequences, 'sequence'), `taxid ${taxon.taxid}`]
              .filter(Boolean)
              .join(' · '),
          ),
        ),
      ),
    )
    this.open(this.found.length > 0)
    if (this.found.length) announce(`${count(this.found.length)} found`)
  }
  open(on) {
    show(this.list, on)
    this.input.setAttribute('aria-expanded', String(on))
    if (on) this.input.setAttribute('aria-activedescendant', `${this.list.id}-${this.active}`)
    else this.input.removeAttribute('aria-activedescendant')
  }
  close() {
    this.asked?.abort()
    this.found = []
    this.note.textContent = ''
    this.list.replaceChildren()
    this.open(false)
  }
  key(event) {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (!this.found.length) return
      const step = event.key === 'ArrowDown' ? 1 : -1
      this.active = (this.active + step + this.found.length) % this.found.length
      for (const [at, item] of [...this.list.children].entries()) item.setAttribute('aria-selected', String(at === this.active))
      this.list.children[this.active].scrollIntoView({ block: 'nearest' })
      this.open(true)
    } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
      event.preventDefault() // what is typed is no search yet
      if (this.active >= 0) this.take(this.active)
      else if (this.input.value.trim()) this.add(this.input.value.trim())
    } else if (event.key === 'Escape') this.close()
    else if (event.key === 'Backspace' && !this.input.value && this.chosen.length) this.drop(this.chosen.at(-1))
  }
  pick(event, at) {
    event.preventDefault() // the field keeps the focus
    this.take(at)
  }
  take(at) {
    this.add(label(this.found[at]))
  }
  add(text) {
    if (!this.chosen.includes(text)) this.chosen.push(text)
    this.input.value = ''
    this.close()
    announce(`${text} chosen`)
    this.show()
  }
  drop(text) {
    this.chosen = this.chosen.filter(one => one !== text)
    announce(`${text} removed`)
    this.input.focus()
    this.show()
  }
  show() {
    this.chips.replaceChildren(
      ...this.chosen.map(text =>
        h('li', {}, text, h('button', { type: 'button', 'aria-label': `Remove ${text}`, on: { click: () => this.drop(text) } }, '×')),
      ),
    )
    this.changed()
  }
}

export class Organisms {
  // *databases* gives the names of those that are chosen, and their molecule.
  constructor(databases, changed) {
    this.include = new Combobox('organisms', databases, changed)
    this.exclude = new Combobox('exclude-organisms', databases, changed)
  }
  get values() {
    const found = {}
    if (this.include.chosen.length) found.organisms = [...this.include.chosen]
    if (this.exclude.chosen.length) found.exclude_organisms = [...this.exclude.chosen]
    return found
  }
  get text() {
    const { organisms = [], exclude_organisms: without = [] } = this.values
    return [organisms.join(', '), without.length ? `not ${without.join(', ')}` : ''].filter(Boolean).join('; ')
  }
  restore(values) {
    this.include.chosen = [...(values?.organisms ?? [])]
    this.exclude.chosen = [...(values?.exclude_organisms ?? [])]
    this.include.show()
    this.exclude.show()
  }
}
