// What leaves the page: downloads in every format, logs, and what a methods section needs.

import { api, bytes, copy, count, duration, failed, h, letters, plural, url, when, words } from './base.js'

const FORMATS = [
  ['tabular', 'Tabular', '-outfmt 6: one line a match'],
  ['commented', 'Tabular with comments', '-outfmt 7: with a header for each query'],
  ['csv', 'CSV', '-outfmt 10: for a spreadsheet'],
  ['pairwise', 'Pairwise text', '-outfmt 0: the classic report'],
  ['anchored', 'Query-anchored', '-outfmt 1: subjects under the query, dots where they are the same'],
  ['anchored_letters', 'Query-anchored, letters', '-outfmt 2: the same with all letters'],
  ['flat', 'Flat query-anchored', '-outfmt 3: with gaps in the query, dots where they are the same'],
  ['flat_letters', 'Flat query-anchored, letters', '-outfmt 4: the same with all letters'],
  ['xml', 'XML', '-outfmt 5: for Biopython and BioPerl'],
  ['xml2', 'XML2', '-outfmt 16'],
  ['json', 'JSON', '-outfmt 15'],
  ['asn1', 'ASN.1 archive', '-outfmt 11: for blast_formatter'],
  ['sam', 'SAM', '-outfmt 17: for alignment viewers'],
  ['organisms', 'By organism', '-outfmt 18: where taxdb names them all'],
  ['gff3', 'GFF3', 'a feature for each HSP, on the subject: for genome browsers'],
  ['blat', 'hgBlat JSON', 'rows of PSL as UCSC answers: for IGV'],
  ['fasta', 'Hit sequences', 'FASTA of every subject found'],
]
/** @type {Record<string, string[]>} Programs of formats that not all have. */
const ONLY_OF = { sam: ['blastn'], blat: ['blastn', 'tblastn', 'tblastx'] }
const FIELDS = 'qaccver saccver pident length mismatch gapopen qstart qend sstart send evalue bitscore'

export function downloads(panel, context) {
  const { job, query, many, partial } = context
  const scope = h(
    'select',
    { id: 'dl-scope' },
    h('option', { value: '' }, 'all queries'),
    query ? h('option', { value: String(query) }, `query ${query} only (tables, GFF3, hgBlat and FASTA)`) : '',
  )
  const fields = h('input', { id: 'dl-fields', placeholder: FIELDS, autocomplete: 'off', spellcheck: false })
  const grid = h('div', { class: 'formats' })
  const gone = h('p', { class: 'note warn', role: 'status', hidden: true })
  const paint = () =>
    grid.replaceChildren(
      ...FORMATS.filter(
        ([key]) => (!ONLY_OF[key] || ONLY_OF[key].includes(job.program)) && (!partial || ['tabular', 'commented', 'csv'].includes(key)),
      ).map(([key, name, text]) => {
        const values = new URLSearchParams({ format: key })
        if (['tabular', 'commented', 'csv'].includes(key) && fields.value.trim()) values.set('fields', fields.value.trim())
        if (scope.value && ['tabular', 'commented', 'csv', 'fasta', 'gff3', 'blat'].includes(key)) values.set('query', scope.value)
        if (partial) values.set('partial', 'true')
        return h(
          'a',
          {
            class: 'format',
            href: url(`/api/blast/jobs/${job.job_id}/results?${values}`),
            download: '',
            on: { click: event => fetchIt(event, key) },
          },
          h('b', {}, name),
          h('span', {}, text),
        )
      }),
    )
  // Made on request, a format can fail: then the reason is shown here, and no file with an error in it is saved.
  async function fetchIt(event, key) {
    event.preventDefault()
    const { href } = event.currentTarget
    const name = FORMATS.find(one => one[0] === key)[1]
    gone.hidden = true
    try {
      const probe = new AbortController()
      let response
      for (;;) {
        response = await fetch(href, {
          headers: { 'X-Requested-With': 'blastd', Accept: '*/*' },
          signal: probe.signal,
        })
        if (response.status !== 202) break
        const far = await response.json()
        const share = far.fraction === null ? '' : `, ${Math.round(100 * far.fraction)} %`
        const why = far.waiting_for ? ` for ${far.waiting_for}` : ''
        gone.textContent = `${name} is being made: ${far.step}${why}${share}. The download begins by itself.`
        gone.hidden = false
      }
      gone.hidden = true
      if (!response.ok) throw new Error((await response.json()).detail)
      probe.abort() // it is made; the browser's own download takes it to disk
      h('a', { href, download: '' }).click()
    } catch (error) {
      gone.textContent = `${name}: ${error.message}`
      gone.hidden = false
    }
  }
  scope.addEventListener('change', paint)
  fields.addEventListener('input', paint)
  panel.replaceChildren(
    h(
      'div',
      { class: 'toolbar' },
      many ? h('div', { class: 'f' }, h('label', { htmlFor: 'dl-scope' }, 'Of'), scope) : '',
      h('div', { class: 'f wide-field' }, h('label', { htmlFor: 'dl-fields' }, 'Columns of the tables'), fields),
    ),
    partial
      ? h('p', { class: 'note' }, 'The search is still running: these hold what is done so far. Every format is offered at its end.')
      : '',
    gone,
    grid,
    job.artifacts?.length
      ? h(
          'details',
          { class: 'group' },
          h('summary', {}, 'Stored files ', h('span', { class: 'dim' }, `(${job.artifacts.length})`)),
          h(
            'div',
            { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': 'Stored files' },
            h(
              'table',
              { class: 'simple' },
              h(
                'thead',
                {},
                h(
                  'tr',
                  {},
                  ['File', 'Size', 'SHA-256'].map(name => h('th', { scope: 'col' }, name)),
                ),
              ),
              h(
                'tbody',
                {},
                job.artifacts.map(one =>
                  h(
                    'tr',
                    {},
                    h('td', {}, one.name),
                    h('td', { class: 'nowrap' }, bytes(one.size_bytes)),
                    h('td', {}, h('code', {}, one.sha256)),
                  ),
                ),
              ),
            ),
          ),
        )
      : '',
    h(
      'p',
      {},
      h('a', { href: url(`/api/blast/jobs/${job.job_id}/query`), download: `${job.short_id}.fa` }, 'The query sequences'),
      ' as they were submitted',
    ),
  )
  paint()
  return { stop() {}, busy: () => false }
}

export function logs(panel, context) {
  let stopped = false
  panel.replaceChildren(h('p', { class: 'dim' }, 'Loading…'))
  api(`/blast/jobs/${context.job.job_id}/logs`)
    .then(found => {
      if (stopped) return
      const attempts = found.attempts ?? []
      panel.replaceChildren(
        h(
          'div',
          { class: 'logs' },
          attempts.length
            ? attempts.map(one =>
                h(
                  'details',
                  { class: 'group', open: attempts.length < 6 || Boolean(one.stderr) },
                  h(
                    'summary',
                    {},
                    `Unit ${one.unit + 1}, attempt ${one.attempt}: ${words(one.state)} `,
                    h(
                      'span',
                      { class: 'dim' },
                      [
                        one.error_code ? words(one.error_code) : '',
                        one.exit_code === null || one.exit_code === undefined ? '' : `exit code ${one.exit_code}`,
                        one.node ?? '',
                        one.started_at && one.ended_at ? duration(Date.parse(one.ended_at) - Date.parse(one.started_at)) : '',
                      ]
                        .filter(Boolean)
                        .join(' · '),
                    ),
                  ),
                  one.stderr
                    ? h('pre', { tabIndex: 0, role: 'region', 'aria-label': `Messages of unit ${one.unit + 1}` }, one.stderr)
                    : h('p', { class: 'dim' }, 'BLAST+ said nothing.'),
                ),
              )
            : h('p', { class: 'dim' }, 'Nothing has run yet.'),
        ),
      )
    })
    .catch(error => {
      if (!stopped) {
        failed(error)
        panel.replaceChildren(h('p', { class: 'dim' }, error.message))
      }
    })
  return {
    stop: () => {
      stopped = true
    },
    busy: () => true,
  }
}

// A date that means the same everywhere.
const utc = text => `${new Date(text).toISOString().slice(0, 16).replace('T', ' ')} UTC`

const CITATION =
  'Camacho C, Coulouris G, Avagyan V, Ma N, Papadopoulos J, Bealer K, Madden TL. BLAST+: architecture and applications. BMC Bioinformatics. 2009;10:421. doi:10.1186/1471-2105-10-421'

// What a reader needs to repeat a search, in this order; the rest is named where it was changed.
const TOLD = [
  'evalue',
  'max_target_seqs',
  'word_size',
  'matrix',
  'reward',
  'penalty',
  'gapopen',
  'gapextend',
  'dust',
  'seg',
  'comp_based_stats',
]

// The value of each option that was used: what was asked for, else the default of the task, else that of the program.
function valuesOf(search, programs) {
  const given = search.options ?? {}
  const program = (programs ?? []).find(one => one.name === search.program)
  const task = program?.tasks?.find(one => one.name === search.task)
  const standard = name => task?.defaults?.[name] ?? program?.options?.find(one => one.name === name)?.default
  const shown = (name, value) => (value === true ? `-${name}` : `-${name} ${value}`)
  const told = TOLD.filter(name => given[name] !== undefined || standard(name)).map(name => shown(name, given[name] ?? standard(name)))
  const others = Object.entries(given)
    .filter(([name]) => !TOLD.includes(name))
    .map(([name, value]) => shown(name, value))
  return [...told, ...others].join(' ')
}

// What a search was limited to, or what it left out, as it was then.
export const organismsText = taxa =>
  taxa.map(taxon => `${taxon.name || taxon.asked} (taxid ${taxon.taxid}, ${plural(taxon.taxa, 'taxon', 'taxa')} here)`).join(', ')

// *ran* is the job that was searched: another one where its stored result was reused.
export function methodsText(job, programs = null, ran = job) {
  const search = job.search ?? job
  const options = valuesOf({ ...search, program: job.program }, programs)
  const databases = (job.databases ?? [])
    .map(
      one =>
        `${one.name}${one.title && one.title !== one.name ? ` (“${one.title}”)` : ''}: ${plural(one.sequences, 'sequence')}, ${letters(one.letters, one.molecule)}${one.date ? `, of ${one.date}` : ''}; fingerprint ${String(one.fingerprint).slice(0, 16)}`,
    )
    .join('; ')
  const only = job.organisms?.length ? `, limited to ${organismsText(job.organisms)}` : ''
  const without = job.exclude_organisms?.length ? `, without ${organismsText(job.exclude_organisms)}` : ''
  const version = /\d+\.\d+\.\d+\S*/.exec(search.blast_version ?? job.blast_version ?? '')?.[0]
  return `${plural(job.query.count, `${job.query.molecule} sequence`)} (${count(job.query.letters)} letters) ${job.query.count === 1 ? 'was' : 'were'} searched with ${job.program}${search.task && search.task !== job.program ? ` (task ${search.task})` : ''} of NCBI BLAST+${version ? ` ${version}` : ''} against ${databases || job.database.join(', ')}${only}${without}, ${options ? `with ${options} and defaults otherwise` : 'with default parameters'}. The search was run${ran?.created_at ? ` on ${utc(ran.started_at ?? ran.created_at)}` : ''} by blastd${search.blastd_version ? ` ${search.blastd_version}` : ''} (job ${ran?.job_id ?? job.reused_from}).`
}

const block = (title, text, code) =>
  h(
    'section',
    {},
    h(
      'div',
      { class: 'copy-row' },
      h('h3', {}, title),
      h('button', { type: 'button', class: 'quiet small', 'aria-label': `Copy: ${title}`, on: { click: () => copy(text) } }, 'Copy'),
    ),
    h('div', { class: 'copy-block' }, code ? h('code', {}, text) : text),
  )

export function methods(panel, context) {
  const { job } = context
  const search = job.search ?? {}
  const methodsBlock = h('div', {}, block('Methods text', methodsText(job, null, job.reused_from ? { job_id: job.reused_from } : job)))
  // Defaults come from the installed BLAST+, and a reused result tells of the run that made it.
  Promise.all([
    api('/blast/programs').catch(() => null),
    job.reused_from ? api(`/blast/jobs/${job.reused_from}`).catch(() => ({ job_id: job.reused_from })) : job,
  ]).then(([found, ran]) => methodsBlock.replaceChildren(block('Methods text', methodsText(job, found?.programs, ran))))
  const pairs = [
    [
      'Job',
      h(
        'span',
        {},
        h('code', {}, job.job_id),
        ' ',
        h(
          'button',
          { type: 'button', class: 'quiet small', 'aria-label': 'Copy the full id', on: { click: () => copy(job.job_id, 'Id copied') } },
          'Copy',
        ),
      ),
    ],
    ['Program', `${job.program}, task ${job.task}`],
    ['BLAST+', search.blast_version ?? job.blast_version ?? 'not known yet'],
    ...(job.databases ?? []).map(one => [
      `Database ${one.name}`,
      h(
        'span',
        {},
        `${one.title}: ${plural(one.sequences, 'sequence')}, ${letters(one.letters, one.molecule)}, ${one.date}, version ${one.version}`,
        h('br'),
        h('code', {}, one.fingerprint),
      ),
    ]),
    [
      'Query',
      h(
        'span',
        {},
        `${plural(job.query.count, 'sequence')}, ${count(job.query.letters)} letters, ${job.query.molecule}`,
        h('br'),
        h('code', {}, `sha256 ${job.query.sha256}`),
      ),
    ],
    ['Engine', `${job.engine}, attempt ${job.attempt}`],
    ['Submitted', `${when(job.created_at)} by ${job.owner} (${words(job.source)})`],
    ['Ended', when(job.finished_at)],
    ...(job.plan_why?.length ? [['How it was split', job.plan_why.join(' ')]] : []),
  ]
  panel.replaceChildren(
    block('Command line', search.command ?? '', true),
    search.argv?.length
      ? h(
          'details',
          { class: 'group' },
          h('summary', {}, 'The exact arguments of each process ', h('span', { class: 'dim' }, `(${search.argv.length})`)),
          search.argv.map(line =>
            h(
              'div',
              { class: 'copy-block' },
              h('code', {}, line.map(word => (/^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ')),
            ),
          ),
        )
      : '',
    methodsBlock,
    block('Citation', CITATION),
    h('h3', {}, 'Facts'),
    h(
      'dl',
      { class: 'pairs' },
      pairs.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
    ),
  )
  return { stop() {}, busy: () => true }
}
