// The options of a program as a form: made from /api/blast/programs, so that page, validation and help agree with it.

import { h, show } from './base.js'
import { faultOf, kindOf, range, same, wireValue } from './option_values.js'

const COMMON = [
  'evalue',
  'max_target_seqs',
  'word_size',
  'perc_identity',
  'matrix',
  'dust',
  'seg',
  'strand',
  'qcov_hsp_perc',
  'query_gencode',
  'taxids',
]

export class Options {
  constructor(box, changed) {
    this.box = box
    this.changed = changed
    this.raw = {}
    /** @type {any} */
    this.program = null
    this.fields = new Map()
    this.serverFaults = {}
  }

  standard(option) {
    const ofTask = this.task?.defaults?.[option.name]
    const standard = ofTask ?? option.default
    if (option.type === 'boolean') return standard === true || standard === 'true'
    return standard ?? ''
  }

  show(program, task) {
    const again = this.program !== program
    this.program = program
    this.task = task
    if (!again) {
      for (const [option, field] of this.fields) this.paint(option, field)
      this.mark()
      return
    }
    this.fields = new Map()
    const options = (program?.options ?? []).filter(option => option.name !== 'task')
    const common = options.filter(option => COMMON.includes(option.name))
    const order = name => {
      const at = COMMON.indexOf(name)
      return at < 0 ? 99 : at
    }
    common.sort((a, b) => order(a.name) - order(b.name))
    const rest = options.filter(option => !common.includes(option))
    const groups = new Map()
    for (const option of rest) {
      const name = option.group || 'Other options'
      groups.set(name, [...(groups.get(name) ?? []), option])
    }
    this.box.replaceChildren(
      h(
        'div',
        { class: 'opts' },
        common.map(option => this.field(option)),
      ),
      ...[...groups].map(([name, list]) => {
        const open = list.some(option => option.name in this.raw)
        return h(
          'details',
          { class: 'group', open },
          h(
            'summary',
            {},
            `${name[0].toUpperCase()}${name.slice(1).replaceAll('_', ' ')} `,
            h('span', { class: 'dim' }, `(${list.length})`),
          ),
          h(
            'div',
            { class: 'opts' },
            list.map(option => this.field(option)),
          ),
        )
      }),
    )
    this.mark()
  }

  field(option) {
    const id = `o-${option.name}`
    const kind = kindOf(option)
    const listen = { on: { input: () => this.input(option), change: () => this.input(option) } }
    const shared = { id, 'aria-describedby': `${id}-help ${id}-fault`, ...listen }
    let control
    if (kind === 'boolean') control = h('input', { type: 'checkbox', ...shared })
    else if (kind === 'choice') control = h('select', shared)
    else
      control = h('input', {
        ...shared,
        autocomplete: 'off',
        spellcheck: false,
        inputmode: option.type === 'integer' ? 'numeric' : undefined,
      })
    const fault = h('p', { id: `${id}-fault`, class: 'fault', hidden: true })
    const help = h('p', { id: `${id}-help`, class: 'help' })
    const label = h('label', { htmlFor: id }, option.title ?? option.name.replaceAll('_', ' '), h('code', {}, `-${option.name}`))
    const box =
      kind === 'boolean'
        ? h('div', { class: 'opt check' }, control, label, help, fault)
        : h('div', { class: 'opt' }, label, control, help, fault)
    const field = { control, fault, help, box }
    this.fields.set(option, field)
    this.paint(option, field)
    return box
  }

  paint(option, { control, help }) {
    const standard = this.standard(option)
    const kind = kindOf(option)
    const raw = this.raw[option.name]
    if (kind === 'boolean') control.checked = raw ?? standard
    else if (kind === 'choice') {
      const known = standard !== '' && standard !== null
      control.replaceChildren(
        known ? '' : h('option', { value: '' }, 'BLAST+ default'),
        ...option.choices.map(value => h('option', { value: String(value) }, String(value) + (same(value, standard) ? ' (default)' : ''))),
      )
      control.value = raw ?? String(standard)
    } else {
      control.placeholder = standard === '' || standard === null ? 'not set' : String(standard)
      control.value = raw ?? ''
    }
    const limits = range(option)
    help.textContent = [
      option.help?.replace(/\s+$/, ''),
      kind !== 'boolean' && standard !== '' && standard !== null ? `Default ${standard}.` : '',
      limits ? `Allowed: ${limits}.` : '',
    ]
      .filter(Boolean)
      .join(' ')
  }

  input(option) {
    const { control } = this.fields.get(option)
    const standard = this.standard(option)
    const text = control.type === 'checkbox' ? control.checked : control.value.trim()
    delete this.serverFaults[option.name]
    if (text === '' || (control.type === 'checkbox' ? text === standard : control.tagName === 'SELECT' && same(text, standard)))
      delete this.raw[option.name]
    else this.raw[option.name] = text
    this.mark()
    this.changed()
  }

  mark() {
    for (const [option, { control, fault, box }] of this.fields) {
      const raw = this.raw[option.name]
      const text = raw === undefined || typeof raw === 'boolean' ? null : faultOf(option, raw)
      const sentence = this.serverFaults[option.name] ?? text
      fault.textContent = sentence ?? ''
      show(fault, Boolean(sentence))
      if (sentence) control.setAttribute('aria-invalid', 'true')
      else control.removeAttribute('aria-invalid')
      box.classList.toggle('changed', this.valueOf(option) !== undefined)
    }
  }

  valueOf(option) {
    const raw = this.raw[option.name]
    return raw === undefined ? undefined : wireValue(option, raw, this.standard(option))
  }

  // Only what differs from the defaults, under the names that BLAST+ uses.
  values() {
    const found = {}
    for (const option of this.fields.keys()) {
      const value = this.valueOf(option)
      if (value !== undefined) found[option.name] = value
    }
    return found
  }

  firstFault() {
    for (const [option, { control }] of this.fields) if (control.getAttribute('aria-invalid')) return [option.name, control]
    return null
  }

  // Brings one option into sight, open and focused.
  reach(name) {
    for (const [option, { control }] of this.fields)
      if (option.name === name) {
        const group = control.closest('details')
        if (group) group.open = true
        control.scrollIntoView({ block: 'center' })
        control.focus()
      }
  }

  set(values) {
    this.raw = {}
    for (const [name, value] of Object.entries(values ?? {}))
      this.raw[name] = typeof value === 'boolean' ? value : Array.isArray(value) ? value.join(',') : String(value)
    for (const [option, field] of this.fields) this.paint(option, field)
    this.mark()
  }
}
