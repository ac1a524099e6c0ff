// Settings of a search by name: those that come with the page, and those that a person saved in this browser.

const PLACE = 'blastd-presets'
const MOST = 50 // of one's own

/** What is asked for often, by program; a preset is offered where the installed BLAST+ has its task. */
const OFFERED = [
  ['blastn', 'Short primers', 'blastn-short', {}],
  ['blastn', 'Cross-species', 'dc-megablast', {}],
  ['blastn', 'Quick look', 'megablast', { max_target_seqs: '50', evalue: '1e-20' }],
  ['blastp', 'Short peptides', 'blastp-short', {}],
  ['blastp', 'Distant relatives', 'blastp', { matrix: 'BLOSUM45', evalue: '10', gapopen: '15', gapextend: '2' }],
  ['blastp', 'Quick look', 'blastp-fast', { max_target_seqs: '50', evalue: '1e-20' }],
  ['blastx', 'Quick look', 'blastx-fast', { max_target_seqs: '50', evalue: '1e-20' }],
  ['tblastn', 'Quick look', 'tblastn-fast', { max_target_seqs: '50', evalue: '1e-20' }],
]

/** The presets for a program: {name, task, options, own}. */
export function presetsOf(program, saved) {
  if (!program) return []
  const has = task => !task || program.tasks.some(one => one.name === task)
  const offered = OFFERED.map(([of, name, task, options]) => ({ program: of, name, task, options, own: false }))
  return [...offered, ...saved.map(one => ({ ...one, own: true }))].filter(one => one.program === program.name && has(one.task))
}

export function savedPresets() {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? '[]')
    return kept.filter(one => typeof one.name === 'string' && typeof one.program === 'string' && typeof one.options === 'object')
  } catch {
    return []
  }
}

/** The saved ones with one more; one of the same name and program is replaced, the oldest go beyond the limit. */
export function withPreset(saved, preset) {
  const others = saved.filter(one => one.name !== preset.name || one.program !== preset.program)
  return [...others, preset].slice(-MOST)
}

export const withoutPreset = (saved, preset) => saved.filter(one => one.name !== preset.name || one.program !== preset.program)

export function keepPresets(saved) {
  localStorage.setItem(PLACE, JSON.stringify(saved))
}
