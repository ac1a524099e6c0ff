// The search page: sees what was pasted, offers what fits, says why the button is off, and submits once.

import {
  $,
  BASE,
  Problem,
  announce,
  api,
  bytes,
  chip,
  copy,
  count,
  debounce,
  failed,
  h,
  letters,
  me,
  plural,
  problemBox,
  randomId,
  show,
  tabs,
  toast,
  upload,
  url,
} from './base.js'
import { loadFields, loadQuery, saveFields, saveQuery } from './draft.js'
import { scan } from './fasta.js'
import { Options } from './options.js'
import { Organisms } from './organisms.js'
import { keepPresets, presetsOf, savedPresets, withoutPreset, withPreset } from './presets.js'
import { oneFile } from './query_files.js'
import { biopython, commandLine, curl } from './snippets.js'
import { OwnSubjects } from './subjects.js'

const EXAMPLES = {
  nt: '>example_16S part of a bacterial 16S rRNA gene\nAGAGTTTGATCCTGGCTCAGATTGAACGCTGGCGGCAGGCCTAACACATGCAAGTCGAACGGTAACAGGAAGAAGCTTGC\nTTCTTTGCTGACGAGTGGCGGACGGGTGAGTAATGTCTGGGAAACTGCCTGATGGAGGGGGATAACTACTGGAAACGGTA\nGCTAATACCGCATAACGTCGCAAGACCAAAGAGGGGGACCTTCGGGCCTCTTGCCATCGGATGTGCCCAGATGGGATTAG\n',
  aa: '>example_ubiquitin human ubiquitin\nMQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG\n',
}

const state = {
  programs: [],
  databases: null,
  file: null,
  seen: null,
  scanning: null,
  program: '',
  programChosen: false,
  task: '',
  chosen: new Set(),
  busy: false,
  key: randomId(),
  tokens: false,
  snippet: 'command',
}
const options = new Options($('options'), changed)
const own = new OwnSubjects(() => state.loaded && offer())
const organisms = new Organisms(
  () => ({ names: state.chosen, molecule: program()?.database ?? '' }),
  () => state.loaded && changed(),
)
const program = () => state.programs.find(one => one.name === state.program)
const flags = () => new Set((program()?.options ?? []).filter(option => option.flag).map(option => option.name))
const source = () => state.file ?? $('query').value
const hasQuery = () => state.file !== null || /\S/.test($('query').value)
const fileName = () => state.file?.name ?? 'query.fa'

// ---- 1 query
let scanner
const rescan = debounce(120, async () => {
  scanner?.abort()
  scanner = new AbortController()
  const { signal } = scanner
  if (!hasQuery()) {
    state.seen = null
    state.scanning = null
    paintSeen()
    offer()
    return
  }
  state.scanning = 0
  try {
    const seen = await scan(source(), signal, (part, work) => {
      state.scanning = part
      paintSeen(work)
    })
    if (!seen) return
    state.seen = seen
  } catch (error) {
    if (signal.aborted) return
    state.seen = {
      count: 0,
      letters: 0,
      molecule: null,
      faults: [`This file can't be read here: ${error.message}`],
      warnings: [],
    }
  }
  state.scanning = null
  paintSeen()
  offer()
})

function paintSeen(work) {
  const box = $('seen')
  const seen = state.seen
  if (state.scanning !== null) {
    box.replaceChildren(
      h('span', { class: 'dim' }, `Reading… ${Math.round(state.scanning * 100)} %`),
      work ? h('span', {}, plural(work.count, 'sequence')) : '',
    )
    return
  }
  const list = $('faults')
  if (!seen) {
    box.replaceChildren(h('span', { class: 'dim' }, 'Nothing here yet.'))
    show(list, false)
    return
  }
  box.replaceChildren(
    h('span', {}, h('b', {}, count(seen.count)), seen.count === 1 ? ' sequence' : ' sequences'),
    h('span', {}, h('b', {}, count(seen.letters)), ' letters'),
    seen.molecule ? h('span', { class: 'mol' }, seen.molecule === 'protein' ? 'Protein' : 'Nucleotide') : '',
    seen.count > 1 ? h('span', { class: 'dim' }, `${count(seen.shortest)} to ${count(seen.longest)} long`) : '',
    seen.faults.length
      ? ''
      : h('span', { class: 'dim' }, seen.warnings.length ? plural(seen.warnings.length, 'remark') : 'No faults found'),
  )
  list.classList.toggle('soft', !seen.faults.length)
  list.replaceChildren(...seen.faults.map(text => h('li', {}, text)), ...seen.warnings.map(text => h('li', { class: 'w' }, text)))
  show(list, seen.faults.length + seen.warnings.length > 0)
}

function setFile(file) {
  state.file = file
  show($('file'), Boolean(file))
  show($('query'), !file)
  if (file) {
    $('file').replaceChildren(
      h('strong', {}, file.name || 'file'),
      h('span', { class: 'dim' }, bytes(file.size)),
      h('span', { class: 'spring' }),
      h(
        'button',
        {
          type: 'button',
          class: 'small',
          on: {
            click: () => {
              setFile(null)
              keepQuery()
              $('query').focus()
            },
          },
        },
        'Remove',
      ),
    )
  }
  rescan()
}
const keepQuery = debounce(250, () =>
  saveQuery(hasQuery() ? (state.file ? { file: state.file, name: state.file.name } : { text: $('query').value }) : null),
)
async function takeFiles(files) {
  if (!files.length) return
  let file
  try {
    file = await oneFile([...files])
  } catch (error) {
    failed(new Error(`These files can't be read: ${error.message}`))
    return
  }
  $('query').value = ''
  setFile(file)
  keepQuery()
  announce(`${file.name} chosen`)
}
function setText(text) {
  $('query').value = text
  setFile(null)
  keepQuery()
  changed()
}

$('query').addEventListener('input', () => {
  rescan()
  keepQuery()
  changed()
})
$('choose').addEventListener('change', event => {
  takeFiles([...event.target.files])
  event.target.value = ''
})
$('example-nt').addEventListener('click', () => setText(EXAMPLES.nt))
$('example-aa').addEventListener('click', () => setText(EXAMPLES.aa))
for (const type of ['dragenter', 'dragover'])
  document.addEventListener(type, (/** @type {any} */ event) => {
    if ([...event.dataTransfer.types].includes('Files')) {
      event.preventDefault()
      $('drop').classList.add('over')
    }
  })
for (const type of ['dragleave', 'drop'])
  document.addEventListener(type, (/** @type {any} */ event) => {
    if (type === 'drop' || !event.relatedTarget) $('drop').classList.remove('over')
  })
document.addEventListener('drop', (/** @type {any} */ event) => {
  if (event.dataTransfer.files.length) {
    event.preventDefault()
    if (own.on && event.target.closest?.('#own-box')) own.take(event.dataTransfer.files[0])
    else takeFiles([...event.dataTransfer.files])
  }
})
$('query').addEventListener('paste', event => {
  const files = [...(event.clipboardData?.files ?? [])]
  if (files.length) {
    event.preventDefault()
    takeFiles(files)
  }
})
$('query-loc').addEventListener('input', changed)

function locFault() {
  const text = $('query-loc').value.trim()
  if (!text) return null
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? []
  if (!from) return 'Write it as from-to, such as 1-500.'
  if (Number(from) < 1 || Number(from) > Number(to)) return 'The first position must be at least 1 and not after the last.'
  return state.seen?.shortest && Number(from) > state.seen.longest
    ? `The longest query has ${count(state.seen.longest)} letters only.`
    : null
}

// ---- 2 program
function offer() {
  const molecule = state.seen?.molecule
  if (!state.programChosen || !program()) {
    const wanted = molecule === 'protein' ? 'blastp' : molecule === 'nucleotide' ? 'blastn' : state.program || state.programs[0]?.name
    if (state.programs.some(one => one.name === wanted)) state.program = wanted
  }
  paintPrograms()
  paintTasks()
  paintDatabases()
  paintPresets()
  options.show(program(), task())
  changed()
}
// ---- settings by name
function paintPresets() {
  const saved = savedPresets()
  const use = preset => {
    state.task = preset.task ?? ''
    options.serverFaults = {}
    options.show(program(), task())
    options.set(preset.options)
    paintTasks()
    changed()
    announce(`Settings: ${preset.name}`)
  }
  const drop = preset => {
    keepPresets(withoutPreset(savedPresets(), preset))
    paintPresets()
  }
  const name = h('input', { id: 'preset-name', maxLength: 60, autocomplete: 'off', placeholder: 'such as: our amplicons' })
  const save = event => {
    event.preventDefault()
    const called = name.value.trim()
    if (!called || !program()) return
    try {
      keepPresets(
        withPreset(savedPresets(), { name: called, program: state.program, task: task()?.name ?? '', options: { ...options.raw } }),
      )
    } catch {
      toast('This browser keeps nothing for this page.', 'bad')
      return
    }
    toast(`Saved as “${called}” in this browser`)
    paintPresets()
  }
  $('presets').replaceChildren(
    ...presetsOf(program(), saved).map(preset =>
      h(
        'span',
        { class: 'preset' },
        h('button', { type: 'button', class: 'small', on: { click: () => use(preset) } }, preset.name),
        preset.own
          ? h(
              'button',
              { type: 'button', class: 'small quiet', 'aria-label': `Remove ${preset.name}`, on: { click: () => drop(preset) } },
              '×',
            )
          : '',
      ),
    ),
    h(
      'details',
      { class: 'chooser' },
      h('summary', {}, 'Save these settings'),
      h(
        'div',
        { class: 'chooser-list' },
        h('label', { htmlFor: 'preset-name' }, 'Name'),
        name,
        h('button', { type: 'button', class: 'small', on: { click: save } }, 'Save'),
      ),
    ),
  )
  name.addEventListener('keydown', event => {
    if (event.key === 'Enter') save(event)
  })
}
const fits = one => !state.seen?.molecule || one.query === state.seen.molecule
function paintPrograms() {
  if (!state.programs.length) return
  const focus = $('programs').querySelector('input:focus')?.value
  const sorted = [...state.programs].sort((a, b) => Number(fits(b)) - Number(fits(a)))
  $('programs').replaceChildren(
    ...sorted.map(one => {
      const ok = fits(one)
      return h(
        'label',
        { class: `card${ok ? '' : ' unfit'}` },
        h('input', {
          type: 'radio',
          name: 'program',
          value: one.name,
          checked: one.name === state.program,
          on: {
            change: () => {
              state.program = one.name
              state.programChosen = true
              state.task = ''
              offer()
            },
          },
        }),
        h('span', { class: 't' }, one.name),
        h('span', { class: 'd' }, one.title),
        ok ? '' : h('span', { class: 'd' }, `Your sequences look like ${state.seen.molecule}.`),
      )
    }),
  )
  if (focus)
    $('programs')
      .querySelector(`input[value="${CSS.escape(focus)}"]`)
      ?.focus()
}
const task = () => program()?.tasks?.find(one => one.name === (state.task || program().default_task))
function paintTasks() {
  const list = program()?.tasks ?? []
  show($('tasks'), list.length > 1)
  $('task-list').replaceChildren(
    ...list.map(one =>
      h(
        'label',
        { title: one.help },
        h('input', {
          type: 'radio',
          name: 'task',
          value: one.name,
          checked: one.name === task()?.name,
          on: {
            change: () => {
              state.task = one.name
              paintTaskHelp()
              options.show(program(), task())
              changed()
            },
          },
        }),
        one.title,
      ),
    ),
  )
  paintTaskHelp()
}
function paintTaskHelp() {
  const one = task()
  const short =
    state.seen?.count &&
    state.seen.longest < 30 &&
    state.seen.molecule === 'nucleotide' &&
    state.program === 'blastn' &&
    one?.name !== 'blastn-short'
  $('task-help').replaceChildren(
    one ? h('code', {}, `-task ${one.name}`) : '',
    one?.help ? ` ${one.help}` : '',
    short ? h('strong', {}, ' All queries are shorter than 30 letters: “Short (primers)” finds what the others miss.') : '',
  )
}

// ---- 3 databases
function paintDatabases() {
  if (!state.databases) return
  const wanted = program()?.database
  const text = $('db-filter').value.trim().toLowerCase()
  show($('db-filter'), state.databases.length > 8 && !own.on)
  const profiles = program()?.database_kind === 'profiles'
  const fit = state.databases.filter(one => !wanted || (one.molecule === wanted && profiles === (one.kind !== 'sequences')))
  for (const name of state.chosen) if (!fit.some(one => one.name === name && one.state === 'ready')) state.chosen.delete(name)
  if (!state.chosen.size && fit.filter(one => one.state === 'ready').length === 1)
    state.chosen.add(fit.find(one => one.state === 'ready').name)
  const shown = fit.filter(one => `${one.name} ${one.title ?? ''}`.toLowerCase().includes(text) || state.chosen.has(one.name))
  $('databases').replaceChildren(
    ...(shown.length
      ? shown.map(one => {
          const ready = one.state === 'ready'
          return h(
            'label',
            { class: `card${ready ? '' : ' unfit'}` },
            h('input', {
              type: 'checkbox',
              name: 'database',
              value: one.name,
              checked: state.chosen.has(one.name),
              disabled: !ready,
              on: {
                change: event => {
                  event.target.checked ? state.chosen.add(one.name) : state.chosen.delete(one.name)
                  changed()
                },
              },
            }),
            h('span', { class: 't row' }, one.name, ready ? '' : chip(one.state)),
            one.title && one.title !== one.name ? h('span', { class: 'd' }, one.title) : '',
            h(
              'span',
              { class: `d${ready ? '' : ' bad'}` },
              ready
                ? [plural(one.sequences, 'sequence'), letters(one.letters, one.molecule), one.date].filter(Boolean).join(' · ')
                : (one.reason ?? "It can't be searched now."),
            ),
          )
        })
      : [
          h(
            'p',
            { class: 'dim' },
            text
              ? 'No database matches this filter.'
              : wanted
                ? `There is no ${wanted} database here, which ${state.program} needs.`
                : 'There are no databases here.',
            ' ',
            h('a', { href: url('/databases') }, 'Make one from a FASTA file'),
            '.',
          ),
        ]),
  )
  const others = state.databases.length - fit.length
  $('db-note').textContent =
    others && wanted
      ? `${plural(others, 'database')} of another kind ${others === 1 ? 'is' : 'are'} not shown: ${state.program} searches ${profiles ? 'profiles' : `${wanted} sequences`}.`
      : ''
}
$('db-filter').addEventListener('input', paintDatabases)
// A service that has just started still looks through its folders, and others make databases meanwhile.
async function lookAgain() {
  if (document.hidden || state.busy) return
  try {
    const found = (await api('/blast/databases')).databases ?? []
    if (JSON.stringify(found) === JSON.stringify(state.databases)) return
    state.databases = found
    offer()
  } catch {
    // the list that is shown stays
  }
}
setInterval(() => state.loaded && !state.databases.length && lookAgain(), 2000)
document.addEventListener('visibilitychange', () => state.loaded && lookAgain())

// ---- the whole
function search() {
  const found = { program: state.program, database: [...state.chosen], options: options.values() }
  if (own.on) delete found.database
  else Object.assign(found, organisms.values)
  const one = task()
  if (one && (state.task || program().tasks.length > 1)) found.task = one.name
  const loc = $('query-loc').value.trim()
  if (loc) found.query_loc = loc
  const title = $('title').value.trim()
  if (title) found.title = title
  return found
}
// Every reason why this can't be submitted yet, with the element to go to.
function reasons() {
  const found = []
  const seen = state.seen
  if (!hasQuery()) found.push(['Paste or choose query sequences.', $('query')])
  else if (state.scanning !== null || !seen) found.push(['Reading the sequences…', $('query')])
  else if (seen.faults.length)
    found.push([
      seen.faults.length === 1 ? seen.faults[0] : `${seen.faults[0]} (${seen.faults.length - 1} more)`,
      state.file ? $('file').querySelector('button') : $('query'),
    ])
  if (!program()) found.push(['Choose a program.', $('programs').querySelector('input')])
  else if (seen?.molecule && !fits(program()))
    found.push([
      `${state.program} needs ${program().query} sequences; these look like ${seen.molecule}.`,
      $('programs').querySelector('input'),
    ])
  const subjects = own.on && own.reason(state.program, program()?.database)
  if (subjects) found.push([subjects, own.file ? $('subject-file').querySelector('button') : $('subject')])
  if (!own.on && !state.chosen.size) found.push(['Choose a database.', $('databases').querySelector('input:not(:disabled)')])
  if (locFault()) found.push([locFault(), $('query-loc')])
  const fault = options.firstFault()
  if (fault) found.push([`The option ${fault[0]} needs another value.`, fault[1]])
  return found
}
const keepFields = debounce(200, () =>
  saveFields({
    program: state.programChosen ? state.program : '',
    task: state.task,
    databases: [...state.chosen],
    own: own.draft,
    organisms: organisms.values,
    options: options.raw,
    loc: $('query-loc').value,
    title: $('title').value,
  }),
)
function changed() {
  const loc = locFault()
  $('query-loc-fault').textContent = loc ?? ''
  show($('query-loc-fault'), Boolean(loc))
  if (loc) $('query-loc').setAttribute('aria-invalid', 'true')
  else $('query-loc').removeAttribute('aria-invalid')
  const why = reasons()
  $('submit').setAttribute('aria-disabled', String(why.length > 0 || state.busy))
  const text = state.busy ? 'Submitting…' : why.length ? why[0][0] : 'Ready. You can also press Ctrl + Enter.'
  if ($('why').textContent !== text) $('why').textContent = text
  show($('organism-box'), !own.on && state.databases?.some(one => state.chosen.has(one.name) && one.taxonomy))
  const given = Object.entries(options.values())
  show($('reset-options'), given.length > 0)
  const rows = [
    ['Query', state.seen?.count ? `${plural(state.seen.count, 'sequence')}, ${letters(state.seen.letters, state.seen.molecule)}` : '–'],
    ['Program', state.program ? `${state.program}${task() && task().name !== state.program ? ` (${task().name})` : ''}` : '–'],
    ['Database', own.on ? own.text() : [...state.chosen].join(', ') || '–'],
    ...(organisms.text && !own.on ? [['Organisms', organisms.text]] : []),
    ['Options', given.length ? given.map(([name, value]) => `${name} ${value}`).join(', ') : 'all at their defaults'],
  ]
  $('summary').replaceChildren(...rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]))
  if (state.loaded) {
    state.key = randomId()
    keepFields()
  }
  paintSnippet()
}
function paintSnippet() {
  const found = search()
  if (own.on) found.subject = own.name
  else if (!found.database.length) found.database = ['DATABASE']
  const address = location.origin + BASE
  $('snip-code').textContent =
    state.snippet === 'curl'
      ? curl(found, address, fileName(), state.tokens)
      : state.snippet === 'biopython'
        ? biopython(found, address, fileName(), state.tokens)
        : commandLine(found, fileName(), flags())
}

async function submit() {
  if (state.busy) return
  const why = reasons()
  if (why.length) {
    const [text, target] = why[0]
    target?.focus()
    target?.scrollIntoView({ block: 'center' })
    announce(text)
    return
  }
  state.busy = true
  show($('problem'), false)
  $('submit').setAttribute('aria-disabled', 'true')
  $('why').textContent = 'Submitting…'
  const form = new FormData()
  form.append('search', new Blob([JSON.stringify(search())], { type: 'application/json' }))
  form.append('query', state.file ?? new Blob([$('query').value], { type: 'text/plain' }), fileName())
  if (own.on) form.append('subject', own.file ?? new Blob([own.source], { type: 'text/plain' }), own.name)
  const large = (state.file?.size ?? $('query').value.length) > 2e6
  show($('upload'), large)
  try {
    const job = await upload('/blast/jobs', form, {
      extra: { 'Idempotency-Key': state.key },
      progress: part => {
        $('upload-bar').value = part ?? 0
        $('upload-text').textContent = part === 1 ? 'Uploaded; being checked…' : `Uploading ${Math.round((part ?? 0) * 100)} %`
      },
    })
    saveFields({ ...loadFields(), title: '' })
    location.assign(url(`/jobs/${job.job_id}`))
  } catch (error) {
    state.busy = false
    show($('upload'), false)
    if (error instanceof Problem) showFaults(error)
    else failed(error)
    const key = state.key
    changed()
    state.key = error.status === 0 ? key : state.key
  }
}
function showFaults(error) {
  problemBox($('problem'), error)
  options.serverFaults = {}
  for (const { pointer, detail } of error.errors) {
    const [, place, name] = pointer.split('/')
    if (place === 'options' && name) options.serverFaults[name] = detail
    if (place === 'query_loc') {
      $('query-loc-fault').textContent = detail
      show($('query-loc-fault'))
    }
  }
  options.mark()
  $('problem').scrollIntoView({ block: 'nearest' })
}

$('search').addEventListener('submit', event => {
  event.preventDefault()
  submit()
})
document.addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault()
    submit()
  }
})
$('title').addEventListener('input', changed)
$('reset-options').addEventListener('click', () => {
  options.serverFaults = {}
  options.set({})
  changed()
  announce('All options are at their defaults')
})
$('clear').addEventListener('click', () => {
  state.programChosen = false
  state.task = ''
  state.chosen.clear()
  own.restore()
  options.serverFaults = {}
  options.set({})
  $('title').value = $('query-loc').value = ''
  show($('problem'), false)
  show($('origin'), false)
  history.replaceState(null, '', url('/search'))
  setText('')
  $('query').focus()
})
const pick = tabs(
  $('snip-tabs'),
  $('snip'),
  [
    ['command', 'Command line'],
    ['curl', 'curl'],
    ['biopython', 'Biopython'],
  ],
  key => {
    state.snippet = key
    paintSnippet()
  },
)
$('snip-copy').addEventListener('click', () => copy($('snip-code').textContent))

// What narrows the queries of a search that is searched again.
const ONLY = new Set(['verdict', 'limit_reached', 'warned', 'identity', 'coverage', 'query'])
async function again(id) {
  // edit and resubmit
  const job = await api(`/blast/jobs/${encodeURIComponent(id)}`)
  const wanted = job.search ?? job
  Object.assign(state, {
    program: wanted.program,
    programChosen: true,
    task: wanted.task ?? '',
    chosen: new Set(wanted.database),
  })
  const came = (wanted.database ?? []).some(name => name.startsWith('subjects-')) // not kept as they came
  own.restore({ on: came })
  organisms.restore({
    organisms: (job.organisms ?? []).map(taxon => taxon.asked),
    exclude_organisms: (job.exclude_organisms ?? []).map(taxon => taxon.asked),
  })
  options.raw = Object.fromEntries(
    Object.entries(wanted.options ?? {}).map(([name, value]) => [
      name,
      typeof value === 'boolean' ? value : Array.isArray(value) ? value.join(',') : String(value),
    ]),
  )
  if (new URLSearchParams(location.search).get('more'))
    options.raw.max_target_seqs = String(Math.max(5000, 10 * Number(options.raw.max_target_seqs ?? 500)))
  $('query-loc').value = wanted.query_loc ?? ''
  $('title').value = job.title ?? ''
  $('origin').replaceChildren(
    'Filled in from ',
    h('a', { href: url(`/jobs/${job.job_id}`) }, job.title || job.short_id),
    `. Change what you like${came ? ', give the sequences to search in once more,' : ''} and search again.`,
  )
  show($('origin'))
  const asked = new URLSearchParams(location.search)
  const only = new URLSearchParams([...asked].filter(([name]) => ONLY.has(name)))
  if (asked.get('task')) state.task = asked.get('task')
  for (const [name, value] of asked) if (name.startsWith('set.')) options.raw[name.slice(4)] = value
  for (const name of asked.getAll('without')) delete options.raw[name]
  // What BLAST+ refused is said beside the fields that it means.
  if (asked.get('field')) options.serverFaults = Object.fromEntries((job.error_options ?? []).map(name => [name, job.error]))
  const response = await fetch(url(`/api/blast/jobs/${encodeURIComponent(job.job_id)}/query?${only}`), {
    headers: { 'X-Requested-With': 'blastd' },
  })
  if (!response.ok) {
    toast("The query sequences of this job can't be read any more.", 'bad')
    return
  }
  const blob = await response.blob()
  if (blob.size > 1e6) setFile(new File([blob], `${job.short_id}.fa`))
  else {
    state.file = null
    $('query').value = await blob.text()
  }
}

const noted = instead => error => {
  failed(error)
  return instead
}
async function begin() {
  pick('command')
  me.then(found => {
    state.tokens = Boolean(found.tokens)
    paintSnippet()
  })
  const fields = loadFields()
  const from = new URLSearchParams(location.search)
  const [programs, databases, query] = await Promise.all([
    api('/blast/programs').catch(noted({ programs: [] })),
    api('/blast/databases').catch(noted({ databases: [] })),
    loadQuery(),
  ])
  state.programs = programs.programs ?? []
  state.databases = databases.databases ?? []
  if (from.get('from')) await again(from.get('from')).catch(failed)
  else {
    Object.assign(state, {
      program: fields.program ?? '',
      programChosen: Boolean(fields.program),
      task: fields.task ?? '',
      chosen: new Set(from.getAll('database').length ? from.getAll('database') : (fields.databases ?? [])),
    })
    own.restore(fields.own)
    organisms.restore(fields.organisms)
    options.raw = fields.options ?? {}
    $('query-loc').value = fields.loc ?? ''
    $('title').value = fields.title ?? ''
    if (!$('query').value) {
      if (query?.file) {
        state.file = query.file
        setFile(query.file)
      } else if (query?.text) $('query').value = query.text
    }
  }
  const one = state.databases.find(db => state.chosen.has(db.name))
  if (one && !state.programChosen && !hasQuery() && one.molecule === 'protein') state.program = 'blastp'
  if (!state.programs.length) $('programs').replaceChildren(h('p', { class: 'dim' }, "The programs can't be read from the service now."))
  offer()
  paintSeen()
  if (hasQuery()) rescan()
  state.loaded = true
  if (from.get('field')) options.reach(from.get('field'))
  document.documentElement.dataset.ready = 'yes'
}
begin().catch(failed)
