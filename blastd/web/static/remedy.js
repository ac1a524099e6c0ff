// What can be done about what a search remarks: the values of the address of the search page, and what the link says.

/** @type {[RegExp, (found: RegExpExecArray) => [string, string]][]} */
const CHANGES = [
  [/\btask ([a-z]+-short) finds\b/, ([, task]) => [`task=${task}`, `Search again with ${task}`]],
  [/\bask for (\d+) or more\b/, ([, least]) => [`set.max_target_seqs=${least}`, `Search again with ${least} subjects`]],
  [/^(use_\w+) can make\b/, ([, option]) => [`without=${option}`, 'Search again without it']],
]

/** @type {(text: string) => [string, string]} */
export function remedy(text) {
  for (const [words, change] of CHANGES) {
    const found = words.exec(text)
    if (found) return change(found)
  }
  return ['', 'Edit and search again']
}
