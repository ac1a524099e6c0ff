// The queries of a job: a list to choose from, which stays quick with thousands.

import { announce, api, count, debounce, evalue, failed, h, plural } from './base.js'
import { VirtualList } from './vlist.js'

export class Queries {
  // choose(row) is called with the query that becomes current, null for all of them together.
  // partial() tells whether the job still runs: then those that are done are listed.
  constructor(box, jobId, partial, choose) {
    this.box = box
    this.jobId = jobId
    this.partial = partial
    this.choose = choose
    /** @type {any[]} */
    this.rows = []
    /** @type {any} */
    this.cursor = null
    this.more = true
    /** @type {any} */
    this.current = null
    this.text = ''
    this.withHits = ''
    this.generation = 0
  }

  get path() {
    return `/blast/jobs/${encodeURIComponent(this.jobId)}/queries`
  }

  mount() {
    const search = h('input', {
      type: 'search',
      id: 'q-find',
      placeholder: 'Find a query',
      'aria-label': 'Find a query',
      on: {
        input: debounce(250, () => {
          this.text = search.value.trim()
          this.load()
        }),
      },
    })
    const only = h(
      'select',
      {
        id: 'q-only',
        'aria-label': 'Which queries',
        on: {
          change: () => {
            this.withHits = only.value
            this.load()
          },
        },
      },
      h('option', { value: '' }, 'all queries'),
      h('option', { value: 'true' }, 'with hits'),
      h('option', { value: 'false' }, 'without hits'),
    )
    this.total = h('p', { class: 'help', role: 'status' })
    const scroll = h('div', { class: 'scroll', tabIndex: -1 })
    const body = h('div', { class: 'vlist qlist', role: 'list', 'aria-label': 'Queries' })
    scroll.append(body)
    this.box.replaceChildren(search, only, this.total, scroll)
    this.list = new VirtualList(body, {
      key: row => row.query,
      build: () => this.build(),
      update: (element, row) => this.update(element, row),
      near: () => this.next(),
      scroller: scroll,
    })
    this.scroll = scroll
  }

  build() {
    const button = h(
      'button',
      { type: 'button', class: 'qitem' },
      h('span', { class: 'ell' }),
      h('span', { class: 'num' }),
      h('span', { class: 'sub ell' }),
    )
    const element = h('div', {}, button)
    button.addEventListener('click', () => this.pick(element.row))
    element.button = button
    return element
  }

  update(element, row) {
    element.row = row
    const [name, hits, sub] = element.button.children
    name.textContent = `${count(row.query)}. ${row.id || 'no id'}`
    hits.textContent = row.done === false ? '…' : count(row.hits)
    hits.className = row.hits ? 'num' : 'num none'
    sub.textContent = [
      row.best_evalue === null || row.best_evalue === undefined
        ? row.done === false
          ? 'not searched yet'
          : 'no hits'
        : `best E ${evalue(row.best_evalue)}`,
      row.length ? `${count(row.length)} long` : '',
      row.warnings?.length ? '⚠' : '',
      row.limit_reached ? 'limit reached' : '',
      row.iterations ? `${plural(row.iterations, 'iteration')}${row.converged ? ', converged' : ''}` : '',
    ]
      .filter(Boolean)
      .join(' · ')
    element.button.title = [row.id, row.title].filter(Boolean).join(' ')
    element.button.setAttribute('aria-current', String(this.current?.query === row.query))
  }

  pick(row) {
    this.current = row
    this.list.refresh()
    announce(`Query ${row.query}: ${row.id}, ${plural(row.hits ?? 0, 'hit')}`)
    this.choose(row)
  }

  // Goes to the next (1) or the previous (-1) query of the list.
  async move(step) {
    let at = this.rows.findIndex(row => row.query === this.current?.query) + step
    if (at >= this.rows.length && this.more) await this.next()
    at = Math.min(Math.max(0, at), this.rows.length - 1)
    if (this.rows[at] && this.rows[at].query !== this.current?.query) {
      this.pick(this.rows[at])
      const top = at * this.list.height()
      if (top < this.scroll.scrollTop || top > this.scroll.scrollTop + this.scroll.clientHeight - 60) this.scroll.scrollTop = top - 60
    }
  }

  // Reads on until the query of this number is there; null if there is none. Queries stand in their order.
  async reach(number) {
    const there = () => this.rows.find(row => row.query === number)
    while (!there() && this.more && (this.rows.at(-1)?.query ?? 0) < number) await (this.loading ?? this.next(1000))
    return there() ?? null
  }

  // Shows the current one in the list, which may be far down.
  show() {
    const at = this.rows.findIndex(row => row.query === this.current?.query)
    if (at > 3) requestAnimationFrame(() => (this.scroll.scrollTop = at * this.list.height() - 60))
  }

  async load(keep = false) {
    this.generation += 1
    Object.assign(this, { cursor: null, more: true, loading: null })
    const wanted = keep ? Math.min(1000, Math.max(200, this.rows.length)) : 200
    await this.next(wanted, true)
  }

  async next(limit = 500, anew = false) {
    if (this.loading || !this.more) return
    const mine = this.generation
    const query = new URLSearchParams({ limit: String(limit) })
    if (this.cursor) query.set('cursor', this.cursor)
    if (this.text) query.set('q', this.text)
    if (this.withHits) query.set('with_hits', this.withHits)
    if (this.partial()) query.set('partial', 'true')
    this.loading = api(`${this.path}?${query}`)
    try {
      const page = await this.loading
      if (mine !== this.generation) return
      this.rows = anew ? page.queries : this.rows.concat(page.queries)
      this.cursor = page.page.next_cursor
      this.more = page.page.has_more
      const now = this.rows.find(row => row.query === this.current?.query)
      if (now) this.current = now
      this.list.set(this.rows)
      this.total.textContent = `${plural(this.rows.length, 'query', 'queries')}${this.more ? ' and more' : page.complete === false ? ' so far' : ''}`
    } catch (error) {
      this.more = false
      failed(error)
    } finally {
      if (mine === this.generation) this.loading = null
    }
  }
}
