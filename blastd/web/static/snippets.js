// The search on the page, as a BLAST+ command line, a curl call and a Biopython script: texts to copy.

const quote = text => (/^[A-Za-z0-9_./:=,@%+-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`)
const python = value =>
  value === true ? 'True' : value === false ? 'False' : typeof value === 'number' ? String(value) : JSON.stringify(String(value))

// *flags* are the names of options that BLAST+ takes without a value.
export function commandLine(search, fileName, flags) {
  const words = [search.program, '-query', quote(fileName)]
  words.push(...(search.subject ? ['-subject', quote(search.subject)] : ['-db', quote(search.database.join(' '))]))
  if (search.task) words.push('-task', quote(search.task))
  if (search.query_loc) words.push('-query_loc', quote(search.query_loc))
  for (const [name, value] of Object.entries(search.options)) {
    if (value === true && flags.has(name)) words.push(`-${name}`)
    else if (value === false && flags.has(name)) continue
    else words.push(`-${name}`, quote(Array.isArray(value) ? value.join(',') : String(value)))
  }
  const limits = limited(search)
  return words.join(' ') + (limits ? `\n# ${limits}: BLAST+ takes ids only, which the page of the search shows in its command` : '')
}
const ID = /\(taxid:(\d+)\)$|^(\d+)$/
const limited = ({ organisms: only = [], exclude_organisms: without = [] }) =>
  [only.length ? `only ${only.join(', ')}` : '', without.length ? `not ${without.join(', ')}` : ''].filter(Boolean).join('; ')
// The same as NCBI's protocol has it; nothing where a name has no id beside it.
function entrez({ organisms: only = [], exclude_organisms: without = [] }) {
  const terms = names => names.map(name => ID.exec(name)).map(match => match && `txid${match[1] ?? match[2]}[ORGN]`)
  const [kept, left] = [terms(only), terms(without)]
  if ([...kept, ...left].includes(null)) return ''
  return `${kept.join(' OR ') || 'all[filter]'}${left.map(term => ` NOT ${term}`).join('')}`
}

export function curl(search, address, fileName, tokens) {
  const { subject, ...rest } = search
  const fields = JSON.stringify(rest)
  const lines = [`curl -sS ${quote(`${address}/api/blast/jobs`)}`]
  if (tokens) lines.push('  -H "Authorization: Bearer $BLASTD_TOKEN"')
  lines.push(`  -F ${quote(`search=${fields};type=application/json`)}`, `  -F ${quote(`query=@${fileName}`)}`)
  if (subject) lines.push(`  -F ${quote(`subject=@${subject}`)}`)
  return `${lines.join(' \\\n')}\n\n# the answer holds job_id; then\ncurl -sS ${quote(`${address}/api/blast/jobs/`)}JOB_ID'?wait=60'\ncurl -sSOJ ${quote(`${address}/api/blast/jobs/`)}JOB_ID'/results?format=tabular'`
}

// BLAST+ option -> the parameter of NCBIWWW.qblast that means the same.
const QBLAST = {
  evalue: 'expect',
  word_size: 'word_size',
  max_target_seqs: 'hitlist_size',
  matrix: 'matrix_name',
  threshold: 'threshold',
  perc_identity: 'perc_ident',
  ungapped: 'ungapped_alignment',
  reward: 'nucl_reward',
  penalty: 'nucl_penalty',
  comp_based_stats: 'composition_based_statistics',
  query_gencode: 'genetic_code',
  db_gencode: 'db_genetic_code',
}
export function biopython(search, address, fileName, tokens) {
  if (search.subject) return "# NCBI's protocol can't carry sequences to search in; use curl."
  const values = [
    `    ${python(search.program)},`,
    `    ${python(search.database.join(' '))},`,
    `    open(${python(fileName)}).read(),`,
    `    url_base=${python(`${address}/blast/Blast.cgi`)},`,
  ]
  const left = []
  if (search.program === 'blastn' && (search.task ?? 'megablast') === 'megablast') values.push('    megablast=True,')
  else if (search.task && search.task !== search.program) left.push(`-task ${search.task}`)
  const limits = limited(search)
  if (limits && entrez(search)) values.push(`    entrez_query=${python(entrez(search))},`)
  else if (limits) left.push(limits)
  const { gapopen, gapextend } = search.options
  for (const [name, value] of Object.entries(search.options)) {
    if (name === 'gapopen' || name === 'gapextend') continue
    if (name === 'ungapped') {
      if (value) values.push('    ungapped_alignment=True,')
      continue
    }
    if (QBLAST[name]) values.push(`    ${QBLAST[name]}=${python(value)},`)
    else left.push(`-${name} ${value}`)
  }
  if (gapopen !== undefined || gapextend !== undefined) values.push(`    gapcosts=${python(`${gapopen ?? ''} ${gapextend ?? ''}`.trim())},`)
  if (search.query_loc) left.push(`-query_loc ${search.query_loc}`)
  const login = tokens
    ? `import os\nimport urllib.request\n\n# NCBI's protocol carries the token as a password.\nkeys = urllib.request.HTTPPasswordMgrWithDefaultRealm()\nkeys.add_password(None, ${python(address)}, "token", os.environ["BLASTD_TOKEN"])\nurllib.request.install_opener(urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(keys)))\n\n`
    : ''
  const note = left.length
    ? `# NCBI's protocol has no parameter for: ${left.join(' ').replaceAll('\n', ' ')}; use curl for an exact copy.\n`
    : ''
  return `${login}from Bio.Blast import NCBIWWW, NCBIXML\n\nNCBIWWW.email = "you@example.org"\n${note}answer = NCBIWWW.qblast(\n${values.join('\n')}\n)\nfor record in NCBIXML.parse(answer):\n    for alignment in record.alignments:\n        print(record.query, alignment.hit_id, alignment.hsps[0].expect)`
}
