// The columns of the table of subjects: what each shows, how the service sorts by it, and which a person has chosen.

import { count, evalue, fixed, h, scoreClass } from './base.js'
import { plainTitle } from './hits.js'

const bar = row => {
  const fill = h('span', { class: `cover-fill c${scoreClass(row.bits)}` })
  fill.style.setProperty('width', `${Math.min(100, row.coverage ?? 0)}%`)
  return [
    h('span', { class: 'cover', 'aria-hidden': 'true' }, fill),
    h('span', { class: 'cover-n' }, row.coverage === null ? '–' : `${fixed(row.coverage, 0)} %`),
  ]
}

// [key, name, sort of the service, its first order, class, cell, shown at first]
/** @type {any[][]} */
export const COLUMNS = [
  ['title', 'Subject', 'title', 'asc', 'subject', null, true],
  ['organism', 'Organism', null, null, 'org', row => row.names.join(', ') || '–', true],
  ['identity', 'Ident.', 'identity', 'desc', 'r', row => (row.identity === null ? '–' : `${fixed(row.identity, 1)} %`), true],
  ['coverage', 'Cover', 'coverage', 'desc', 'r', bar, true],
  ['evalue', 'E-value', 'evalue', 'asc', 'r', row => evalue(row.evalue), true],
  ['bit_score', 'Max score', 'bit_score', 'desc', 'r', row => fixed(row.bits, row.bits < 100 ? 1 : 0), true],
  ['total', 'Total', 'total_bit_score', 'desc', 'r', row => fixed(row.totalBits, row.totalBits < 100 ? 1 : 0), true],
  ['length', 'Length', 'subject_length', 'desc', 'r', row => count(row.length), true],
  ['hsps', 'HSPs', 'hsps', 'desc', 'r', row => count(row.hsps), false],
  ['positives', 'Positives', 'positives', 'desc', 'r', row => (row.positives === null ? '–' : `${fixed(row.positives, 1)} %`), false],
  ['aligned', 'Aligned', 'length', 'desc', 'r', row => count(row.alignment), false],
  ['accession', 'Accession', 'subject', 'asc', '', row => row.accession ?? row.subject, false],
  ['taxid', 'Taxid', 'taxid', 'asc', '', row => row.taxids.join(', ') || '–', false],
]

const place = program => `blastd-columns-${program}`

// The keys that a person chose for a program, those shown at first where nothing was chosen.
export function chosenColumns(program) {
  try {
    const kept = JSON.parse(localStorage.getItem(place(program)))
    if (Array.isArray(kept)) return new Set(['title', ...kept])
  } catch {
    // nothing was kept, or nothing can be
  }
  return new Set(COLUMNS.filter(column => column[6]).map(([key]) => key))
}

export function keepColumns(program, keys) {
  try {
    localStorage.setItem(place(program), JSON.stringify([...keys]))
  } catch {
    // they hold for this page, then
  }
}

export const subjectCell = row => [
  h('span', { class: `swatch c${scoreClass(row.bits)}`, 'aria-hidden': 'true' }),
  h('span', { class: 'subject-title' }, plainTitle(row) || row.subject),
  ' ',
  h('code', {}, row.accession ?? row.subject),
]
