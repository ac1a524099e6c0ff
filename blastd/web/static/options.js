// The options of a program as a form: made from /api/blast/programs, so that page, validation and help agree with it.

import { h, show } from './base.js'

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

const kindOf = option => (option.choices?.length ? 'choice' : option.type)
const same = (a, b) => a === b || String(a) === String(b)

// Returns the sentence that says what is wrong with *text* for *option*, or null.
export function faultOf(option, text) {
  const kind = kindOf(option)
  if (kind === 'boolean' || kind === 'choice') return null
  if (kind === 'integer' || kind === 'number') {
    const form = kind === 'integer' ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
    if (!form.test(text))
      return kind === 'integer' ? 'A whole number, please.' : 'A number, please, such as 0.001 or 1e-5.'
    const value = Number(text)
    const { minimum, maximum, exclusive_minimum: above, exclusive_maximum: below } = option
    if (!Number.isFinite(value)) return 'This number is too large.'
    if (typeof above === 'number' && value <= above) return `More than ${above}, please.`
    if (above === true && value <= minimum) return `More than ${minimum}, please.`
    if (typeof minimum === 'number' && value < minimum) return `At least ${minimum}, please.`
    if (typeof below === 'number' && value >= below) return `Less than ${below}, please.`
    if (below === true && value >= maximum) return `Less than ${maximum}, please.`
    if (typeof maximum === 'number' && value > maximum) return `At most ${maximum}, please.`
    const spans = option.ranges ?? []
    if (spans.length && !spans.some(([low, high]) => value >= low && value <= high))
      return `One of ${spansText(spans)}, please.`
    return null
  }
  if (option.pattern) {
    try {
      if (!new RegExp(`^(?:${option.pattern})$`, 'u').test(text))
        return option.pattern_help ?? 'This is not of the form that BLAST+ reads here.'
    } catch {
      return null
    }
  }
  return /[\0-\x1f]/.test(text) ? 'One line of text, please.' : null
}

const spansText = spans => spans.map(([low, high]) => (low === high ? low : `${low} to ${high}`)).join(', ')
export function range(option) {
  if (option.ranges?.length) return spansText(option.ranges)
  const { minimum, maximum, exclusive_minimum: above } = option
  const low =
    typeof above === 'number'
      ? `more than ${above}`
      : above === true
        ? `more than ${minimum}`
        : typeof minimum === 'number'
          ? `${minimum}`
          : null
  if (low !== null && typeof maximum === 'number')
    return low.startsWith('more') ? `${low}, up to ${maximum}` : `${low} to ${maximum}`
  if (low !== null) return low.startsWith('more') ? low : `${low} or more`
  return typeof maximum === 'number' ? `up to ${maximum}` : null
}

// The value as the API wants it; undefined where it equals the default.
function valueOf(option, text, standard) {
  const kind = kindOf(option)
  if (kind === 'boolean') return text === standard ? undefined : text
  if (text === '' || text === null) return undefined
  if (same(text, standard)) return undefined
  if (option.type === 'integer' || option.type === 'number') {
    const n = Number(text)
    return n === Number(standard) && standard !== null && standard !== '' ? undefined : n
  }
  if (option.type === 'list')
    return text
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(part => (/^\d+$/.test(part) ? Number(part) : part))
  return text
}

export class Options {
  constructor(box, changed) {
    Object.assign(this, { box, changed, raw: {}, program: null, fields: new Map(), serverFaults: {} })
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
    const label = h(
      'label',
      { htmlFor: id },
      option.title ?? option.name.replaceAll('_', ' '),
      h('code', {}, `-${option.name}`),
    )
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
        ...option.choices.map(value =>
          h('option', { value: String(value) }, String(value) + (same(value, standard) ? ' (default)' : '')),
        ),
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
    if (
      text === '' ||
      (control.type === 'checkbox' ? text === standard : control.tagName === 'SELECT' && same(text, standard))
    )
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
    return raw === undefined ? undefined : valueOf(option, raw, this.standard(option))
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
    for (const [option, { control }] of this.fields)
      if (control.getAttribute('aria-invalid')) return [option.name, control]
    return null
  }

  set(values) {
    this.raw = {}
    for (const [name, value] of Object.entries(values ?? {}))
      this.raw[name] = typeof value === 'boolean' ? value : Array.isArray(value) ? value.join(',') : String(value)
    for (const [option, field] of this.fields) this.paint(option, field)
    this.mark()
  }
}
