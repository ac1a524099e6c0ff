// The answer of a search in one sentence, as the service writes it: its numbers lead to the queries that they count.

import { api, byLink, count, h, show, url } from './base.js'

const place = program => `blastd-good-${program === 'blastn' ? 'nucleotide' : 'protein'}`

// From where on a hit is good, as this person set it; empty where nobody did: then the service knows.
export function chosenRule(program) {
  try {
    const kept = JSON.parse(localStorage.getItem(place(program)))
    if (kept && kept.identity >= 0 && kept.coverage >= 0) return { identity: String(kept.identity), coverage: String(kept.coverage) }
  } catch {
    // nothing was kept, or nothing can be
  }
  return {}
}
function keepRule(program, rule) {
  try {
    if (rule) localStorage.setItem(place(program), JSON.stringify(rule))
    else localStorage.removeItem(place(program))
  } catch {
    // it holds until the page is left, then
  }
}

// filter(values) shows the queries of these filters, {verdict: 'none'} or {limit_reached: 'true'}.
export class Answer {
  constructor(box, filter, ruled) {
    this.box = box
    this.filter = filter
    this.ruled = ruled
    this.found = null
    this.shown = ''
  }

  async load(job) {
    this.job = job
    const partial = job.status !== 'completed'
    if (partial && !(job.progress?.units_done > 0)) return
    const values = new URLSearchParams({ ...chosenRule(job.program), ...(partial ? { partial: 'true' } : {}) })
    try {
      this.found = await api(`/blast/jobs/${job.job_id}/summary?${values}`)
    } catch {
      return // the tables say why nothing can be read
    }
    this.paint()
  }

  paint() {
    const { found, job } = this
    const key = JSON.stringify(found)
    if (key === this.shown) return
    this.shown = key
    const part = ({ text, filter }) =>
      filter && text !== '0' && found.queries > 1
        ? h(
            'a',
            {
              href: filter === 'limit' ? '#queries?limit_reached=true' : `#queries?verdict=${filter}`,
              class: `answer-n ${filter}`,
              on: {
                click: event => {
                  event.preventDefault()
                  this.filter(filter === 'limit' ? { limit_reached: 'true' } : { verdict: filter })
                },
              },
            },
            text,
          )
        : text
    this.box.replaceChildren(
      found.complete ? '' : 'So far: ',
      ...found.parts.map(part),
      found.limit_reached && !byLink
        ? h('span', {}, ' ', h('a', { href: url(`/search?from=${job.job_id}&more=1`) }, `Search again with ${count(found.more)}`), '.')
        : '',
      found.queries > 1 ? this.rule() : '',
    )
    show(this.box)
  }

  rule() {
    const { found, job } = this
    const field = (id, name, value) =>
      h(
        'label',
        { htmlFor: id },
        `${name} `,
        h('input', { id, type: 'number', min: 0, max: 100, step: 'any', value, class: 'short' }),
        ' %',
      )
    const identity = field('good-identity', 'Identity at least', found.rule.identity)
    const coverage = field('good-coverage', 'over at least', found.rule.coverage)
    const set = rule => {
      keepRule(job.program, rule)
      this.load(job).then(this.ruled)
    }
    return h(
      'details',
      { class: 'rule' },
      h('summary', {}, 'What is good?'),
      h(
        'form',
        {
          class: 'rule-form',
          on: {
            submit: event => {
              event.preventDefault()
              set({ identity: Number(identity.control.value), coverage: Number(coverage.control.value) })
            },
          },
        },
        identity,
        coverage,
        ' of the query ',
        h('button', { class: 'small' }, 'Use'),
        h('button', { type: 'button', class: 'quiet small', on: { click: () => set(null) } }, 'As usual'),
      ),
    )
  }
}
