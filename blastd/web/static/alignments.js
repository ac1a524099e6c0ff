// Pairwise alignments as BLAST+ wrote them, loaded as one scrolls: nothing is drawn anew here.

import { api, failed, h, plural } from './base.js'

const PAGE = 20

// The first word of a definition line, which names the subject, and the rest.
const named = title => {
  const at = title.indexOf(' ')
  return at < 0 ? [title, ''] : [title.slice(0, at), title.slice(at + 1)]
}

export function alignmentBox(subject, cut = false) {
  const [id, title] = named(subject.title)
  return h(
    'article',
    { class: 'aln', data: { rank: subject.rank } },
    h('h3', {}, h('code', {}, id), ` ${title}`),
    subject.hsps.map((text, i) =>
      h(
        'div',
        { class: 'hsp' },
        subject.hsps.length > 1 ? h('p', { class: 'dim' }, `Match ${i + 1} of ${subject.hsps.length}`) : '',
        h('pre', { tabIndex: 0, role: 'region', 'aria-label': `Alignment with ${id}, match ${i + 1}` }, h('code', {}, text)),
      ),
    ),
    cut ? h('p', { class: 'note' }, 'There are more matches than fit here: download the pairwise text for all.') : '',
  )
}

export const alignmentsOf = (jobId, values, signal) =>
  api(`/blast/jobs/${encodeURIComponent(jobId)}/alignments?${new URLSearchParams(values)}`, { signal })

export function alignments(panel, context) {
  const { job, query, partial } = context
  const only = context.subject
  const box = h('div', {})
  const info = h('p', { class: 'dim', role: 'status' }, 'Loading…')
  const end = h('div', {})
  const stopper = new AbortController()
  panel.replaceChildren(
    only
      ? h(
          'p',
          { class: 'note' },
          'Only one subject. ',
          h('button', { type: 'button', class: 'quiet small', on: { click: () => context.openSubject(null) } }, 'Show all alignments'),
        )
      : '',
    box,
    info,
    end,
  )
  if (partial) {
    info.textContent = 'Alignments are shown when the search has completed.'
    return { stop() {}, busy: () => false }
  }
  let rank = only?.rank ?? 1
  let loading = false
  let seen = 0
  const more = async () => {
    if (loading || rank === null) return
    loading = true
    try {
      const page = await alignmentsOf(job.job_id, { query: only?.query ?? query ?? 1, rank, limit: only ? 1 : PAGE }, stopper.signal)
      box.append(...page.subjects.map((subject, i) => alignmentBox(subject, page.cut && i === page.subjects.length - 1)))
      seen += page.subjects.length
      rank = only ? null : page.next_rank
      info.textContent = !seen
        ? 'No alignments.'
        : rank === null
          ? `End: ${plural(seen, 'subject')}`
          : `${plural(seen, 'subject')}; scroll for more`
    } catch (error) {
      rank = null
      if (error.name !== 'AbortError') {
        failed(error)
        info.textContent = error.message
      }
    } finally {
      loading = false
    }
    if (rank !== null && end.getBoundingClientRect().top < innerHeight * 2) requestAnimationFrame(more)
  }
  const watcher = new IntersectionObserver(
    entries => {
      if (entries.some(entry => entry.isIntersecting)) more()
    },
    { rootMargin: '1200px' },
  )
  watcher.observe(end)
  return {
    stop: () => {
      watcher.disconnect()
      stopper.abort()
    },
    busy: () => true,
  }
}
