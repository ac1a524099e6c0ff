// The hits of a job as the service pages them: one reader for table, graphic, alignments and plots.

import { api, h } from './base.js'

const first = (row, ...names) => {
  for (const name of names) if (row[name] !== undefined && row[name] !== null) return row[name]
  return null
}

// One row, a subject or an HSP, under the names that the pages use.
export function hit(row) {
  return {
    query: first(row, 'query', 'query_index'),
    queryId: first(row, 'query_id'),
    queryLength: first(row, 'query_length'),
    subject: first(row, 'subject', 'subject_id'),
    accession: first(row, 'subject_accession', 'accession'),
    title: first(row, 'subject_title', 'title') ?? '',
    length: first(row, 'subject_length'),
    names: (row.organisms ?? []).map(one => one.name),
    taxids: first(row, 'taxids') ?? [],
    hsps: first(row, 'hsps', 'hsp_count') ?? 1,
    rank: first(row, 'rank'),
    hsp: first(row, 'hsp', 'hsp_index'),
    bits: first(row, 'max_bit_score', 'bit_score'),
    totalBits: first(row, 'total_bit_score', 'bit_score'),
    score: first(row, 'score'),
    coverage: first(row, 'query_coverage', 'coverage'),
    evalue: first(row, 'evalue'),
    identity: first(row, 'identity', 'percent_identity'),
    positives: first(row, 'positives', 'percent_positives'),
    alignment: first(row, 'length', 'alignment_length'),
    mismatches: first(row, 'mismatches'),
    gapOpens: first(row, 'gap_opens'),
    gaps: first(row, 'gaps'),
    qStart: first(row, 'query_start'),
    qEnd: first(row, 'query_end'),
    sStart: first(row, 'subject_start'),
    sEnd: first(row, 'subject_end'),
    qFrame: first(row, 'query_frame'),
    sFrame: first(row, 'subject_frame'),
    qSeq: first(row, 'query_sequence', 'qseq'),
    sSeq: first(row, 'subject_sequence', 'sseq'),
    identical: first(row, 'identical', 'identities'),
    links: first(row, 'links') ?? [],
  }
}

// A title without the id that BLAST+ repeats in front of it.
export const plainTitle = row => (row.title.startsWith(`${row.subject} `) ? row.title.slice(row.subject.length + 1) : row.title)

// Where else a subject is known, as the configuration of the service says; nothing but the web is a link.
export const linksOut = row =>
  row.links.length
    ? h(
        'p',
        { class: 'links-out' },
        row.links
          .filter(link => /^https?:\/\//.test(link.url))
          .flatMap(link => [h('a', { href: link.url, target: '_blank', rel: 'noopener noreferrer' }, link.label), ' ']),
      )
    : ''

export class Hits {
  constructor(jobId, values) {
    this.path = `/blast/jobs/${encodeURIComponent(jobId)}/hits`
    this.values = values
    /** @type {any[]} */
    this.rows = []
    /** @type {any} */
    this.cursor = null
    this.done = false
    /** @type {any} */
    this.total = null
    this.stopper = new AbortController()
  }

  async next() {
    if (this.loading) return this.loading
    if (this.done) return []
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries({ limit: 200, ...this.values, cursor: this.cursor }))
      if (value !== null && value !== undefined && value !== '' && value !== false) query.set(name, value)
    this.loading = api(`${this.path}?${query}`, { signal: this.stopper.signal })
      .then(page => {
        const rows = page.hits.map(hit)
        this.rows = this.rows.concat(rows)
        this.cursor = page.page.next_cursor
        this.done = !page.page.has_more
        this.total = page.total ?? null
        this.complete = page.complete !== false
        return rows
      })
      .finally(() => {
        this.loading = null
      })
    return this.loading
  }

  stop() {
    this.stopper.abort()
  }
}
