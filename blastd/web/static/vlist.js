// A list that may have 100,000 rows of one height: only those in sight are in the page. Rows keep their elements by
// key, so that focus and animations survive a redraw; the row that has the focus stays even when it scrolls away.

export class VirtualList {
  // build(item, index) makes an element; update(element, item, index) brings one up to date; near() is called
  // when the end comes into reach. With `scroller` the list scrolls in that element, else with the window.
  constructor(element, { key, build, update, near, scroller = null }) {
    this.element = element
    this.key = key
    this.build = build
    this.update = update
    this.near = near
    this.scroller = scroller
    /** @type {any[]} */
    this.items = []
    this.shown = new Map()
    /** How many there are in all where not all were read. @type {number | undefined} */
    this.total = undefined
    const wake = () => this.schedule()
    ;(scroller ?? window).addEventListener('scroll', wake, { passive: true })
    addEventListener('resize', () => {
      this.row = 0
      wake()
    })
    if (scroller) new ResizeObserver(wake).observe(scroller)
  }

  set(items) {
    this.items = items
    this.schedule()
  }

  schedule() {
    if (this.frame) return
    this.frame = requestAnimationFrame(() => {
      this.frame = 0
      this.draw()
    })
  }

  height() {
    if (!this.row) {
      const probe = document.createElement('div')
      probe.style.height = getComputedStyle(this.element).getPropertyValue('--row')
      this.element.append(probe)
      this.row = probe.getBoundingClientRect().height || 40
      probe.remove()
    }
    return this.row
  }

  span() {
    const row = this.height()
    const box = this.element.getBoundingClientRect()
    const top = this.scroller ? this.scroller.getBoundingClientRect().top : 0
    const tall = this.scroller ? this.scroller.clientHeight : innerHeight
    const first = Math.floor((top - box.top) / row)
    // What lies below the fold is begun already, so that the first scroll, a print and a screen reader find rows.
    return [Math.max(0, first - 8), Math.min(this.items.length, Math.max(12, first + Math.ceil(tall / row) + 9))]
  }

  draw() {
    const row = this.height()
    this.element.style.height = `${this.items.length * row}px`
    const [from, to] = this.span()
    const keep = new Set()
    let before = null
    for (let i = from; i < to; i += 1) {
      const item = this.items[i]
      const key = this.key(item, i)
      keep.add(key)
      let entry = this.shown.get(key)
      if (!entry) {
        entry = { element: this.build(item, i), item: null }
        entry.element.classList.add('vitem')
        entry.element.setAttribute('role', entry.element.getAttribute('role') ?? 'listitem')
        this.shown.set(key, entry)
      }
      if (entry.item !== item || entry.index !== i) {
        this.update(entry.element, item, i)
        entry.element.style.transform = `translateY(${i * row}px)`
        this.place(entry.element, i)
        entry.element.classList.toggle('first', i === 0)
        entry.element.classList.toggle('last', i === this.items.length - 1)
        Object.assign(entry, { item, index: i })
      } else if (entry.row !== row) entry.element.style.transform = `translateY(${i * row}px)`
      entry.row = row
      // Elements stand in the order in which they are read and tabbed through.
      const next = before ? before.nextSibling : this.element.firstChild
      if (entry.element !== next) {
        if (!entry.element.contains(document.activeElement) || !entry.element.isConnected) this.element.insertBefore(entry.element, next)
      }
      before = entry.element
    }
    for (const [key, entry] of this.shown) {
      if (keep.has(key) || entry.element.contains(document.activeElement)) continue
      entry.element.remove()
      this.shown.delete(key)
    }
    // The first page is not followed by a second before somebody scrolls; later ones are asked for well ahead.
    if (to >= this.items.length - (this.items.length < 100 ? 4 : 80)) this.near?.()
  }

  // Tell a screen reader where an element stands among all, which it can't count: most are not in the page.
  place(element, i) {
    const size = this.total ?? this.items.length
    if (element.getAttribute('role') === 'row') {
      element.setAttribute('aria-rowindex', i + 2) // the heading is the first row
      this.element.closest('[role=table]')?.setAttribute('aria-rowcount', size + 1)
    } else {
      element.setAttribute('aria-posinset', i + 1)
      element.setAttribute('aria-setsize', size)
    }
  }

  refresh() {
    for (const entry of this.shown.values()) this.update(entry.element, entry.item, entry.index)
  }

  // A list that starts anew: nothing of the old one stays.
  reset() {
    for (const entry of this.shown.values()) entry.element.remove()
    this.shown.clear()
    this.items = []
  }
}
