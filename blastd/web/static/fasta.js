// What the browser can tell of query sequences before they are sent: records, letters, molecule, faults by record.
// It reads bytes in pieces and keeps no sequence, so that a file of 200 MB neither fills memory nor stops the page.
// The service scans again and has the last word.

const PIECE = 1 << 18
const MAX_FAULTS = 50
const LETTER = new Uint8Array(256) // 0 no residue, 1 amino acid only, 2 nucleotide code, 3 plain nucleotide, 4 blank, 5 gap or stop
for (const c of 'EFILPQZXJOU') for (const d of [c, c.toLowerCase()]) LETTER[d.charCodeAt(0)] = 1
for (const c of 'RYSWKMBDHV') for (const d of [c, c.toLowerCase()]) LETTER[d.charCodeAt(0)] = 2
for (const c of 'ACGTUN') for (const d of [c, c.toLowerCase()]) LETTER[d.charCodeAt(0)] = 3
for (const c of ' \t\r\v\f0123456789') LETTER[c.charCodeAt(0)] = 4
for (const c of '-*.') LETTER[c.charCodeAt(0)] = 5

async function* pieces(source) {
  if (typeof source === 'string') {
    const encoder = new TextEncoder()
    for (let at = 0; at < source.length; at += PIECE) yield encoder.encode(source.slice(at, at + PIECE))
    return
  }
  const head = new Uint8Array(await source.slice(0, 2).arrayBuffer())
  let stream = source.stream()
  if (head[0] === 0x1f && head[1] === 0x8b) stream = stream.pipeThrough(new DecompressionStream('gzip'))
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    for (let at = 0; at < value.length; at += PIECE) yield value.subarray(at, at + PIECE)
  }
}

/** @type {[RegExp, string][]} */
const FORMS = [
  [/^@[^\n]*\n[A-Za-z.]+\s*\n\+/, 'This is FASTQ (sequencing reads with qualities). Convert it to FASTA first.'],
  [/^LOCUS\s/, 'This is a GenBank flat file. Export the sequence as FASTA.'],
  [/^ID\s{3}/, 'This is an EMBL or UniProt flat file. Export the sequence as FASTA.'],
  [/^#NEXUS/i, 'This is a NEXUS file. Export the sequences as FASTA.'],
  [/^CLUSTAL/, 'This is a Clustal alignment. Export the sequences as FASTA.'],
  [/^\s*</, 'This looks like XML or a web page, not like FASTA.'],
]

export class Scan {
  constructor() {
    this.count = 0
    this.letters = 0
    /** @type {any[]} */
    this.faults = []
    /** @type {any[]} */
    this.warnings = []
    this.plain = 0
    this.codes = 0
    this.amino = 0
    this.odd = 0
    this.longest = 0
    this.shortest = Infinity
    this.first = ''
    this.line = 1
    /** @type {any} */
    this.record = null
    /** @type {any} */
    this.header = null
    this.start = true
    this.decoder = new TextDecoder()
    this.bare = false
    this.ids = new Set()
    this.twice = 0
    this.empty = 0
    this.head = ''
  }

  fault(text) {
    if (this.faults.length < MAX_FAULTS) this.faults.push(text)
  }
  warn(text) {
    if (this.warnings.length < MAX_FAULTS) this.warnings.push(text)
  }
  name() {
    return `Record ${this.count}${this.record?.id ? ` “${this.record.id.slice(0, 60)}”` : ''}`
  }

  begin(title) {
    this.finish()
    this.count += 1
    const text = title.replace(/^\s+/, '')
    this.record = {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: \x01 parts the titles of one sequence in NCBI's files
      id: text.split(/[\s\x01]/, 1)[0],
      title: text,
      letters: 0,
      odd: 0,
      line: this.line,
      oddLine: 0,
      oddText: '',
    }
    if (this.count === 1) this.first = this.record.id || 'Query_1'
    if (this.record.id && this.ids.size < 200000) {
      if (this.ids.has(this.record.id)) this.twice += 1
      else this.ids.add(this.record.id)
    }
  }

  finish() {
    const record = this.record
    if (!record) return
    if (record.letters === 0) {
      this.empty += 1
      if (/[ACGTUNacgtun]{20,}\s*$/.test(record.title))
        this.fault(
          `${this.name()} (line ${record.line}) has no residues: the sequence seems to stand on the title line. Put it on a line of its own.`,
        )
      else this.warn(`${this.name()} (line ${record.line}) has no residues.`)
    } else {
      this.longest = Math.max(this.longest, record.letters)
      this.shortest = Math.min(this.shortest, record.letters)
    }
    if (record.odd)
      this.fault(
        `${this.name()}, line ${record.oddLine}: “${record.oddText}” ${record.odd > 1 ? `and ${record.odd - 1} more are` : 'is'} no residue${record.glued ? '; is a “>” missing before a title?' : '.'}`,
      )
    this.record = null
  }

  take(data) {
    if (this.start) {
      this.head += new TextDecoder('latin1').decode(data.subarray(0, 2000))
      if ((data[0] === 0xff && data[1] === 0xfe) || (data[0] === 0xfe && data[1] === 0xff)) {
        this.fault('This file is UTF-16 text. Save it as UTF-8 or plain text.')
        return false
      }
      if (data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf) {
        data = data.subarray(3)
        this.head = this.head.slice(3)
      }
      const text = this.head.trimStart()
      if (!text) {
        for (const byte of data) if (byte === 10) this.line += 1
        return true
      }
      for (const [form, sentence] of FORMS)
        if (form.test(text)) {
          this.fault(sentence)
          return false
        }
      this.start = false
      this.atLineStart = true
    }
    let i = 0
    while (i < data.length) {
      if (this.header !== null) {
        let end = data.indexOf(10, i)
        const whole = end >= 0
        if (!whole) end = data.length
        if (this.header.length < 4000) this.header += this.decoder.decode(data.subarray(i, Math.min(end, i + 4000)), { stream: !whole })
        i = end
        if (whole) {
          this.begin(this.header.replace(/\r$/, ''))
          this.header = null
          this.line += 1
          this.atLineStart = true
          i += 1
        }
        continue
      }
      const byte = data[i]
      if (byte === 10) {
        this.line += 1
        this.atLineStart = true
        i += 1
        continue
      }
      if (this.atLineStart && byte === 62) {
        this.header = ''
        this.decoder = new TextDecoder()
        i += 1
        this.atLineStart = false
        continue
      }
      if (this.atLineStart && byte === 59) {
        const end = data.indexOf(10, i)
        i = end < 0 ? data.length : end
        continue
      }
      this.atLineStart = false
      const kind = LETTER[byte]
      if (kind !== 4 && !this.record) {
        this.bare = true
        this.begin('')
      }
      if (kind === 3) {
        this.plain += 1
        this.record.letters += 1
      } else if (kind === 2) {
        this.codes += 1
        this.record.letters += 1
      } else if (kind === 1) {
        this.amino += 1
        this.record.letters += 1
      } else if (kind === 5) {
        if (byte === 42) this.record.letters += 1
      } else if (kind === 0) {
        const record = this.record
        record.odd += 1
        if (!record.oddLine) {
          record.oddLine = this.line
          record.oddText = byte === 0 ? 'NUL byte' : new TextDecoder().decode(data.subarray(i, byte < 128 ? i + 1 : i + 4)).slice(0, 1)
          record.glued = byte === 95 || byte === 124 || byte === 61 || byte === 46
        }
      }
      i += 1
    }
    return true
  }

  result() {
    if (this.header !== null) {
      this.begin(this.header.replace(/\r$/, ''))
      this.header = null
    }
    this.finish()
    this.letters = this.plain + this.codes + this.amino
    const nucleotide =
      this.letters > 0 && this.amino === 0 ? this.plain >= this.letters * 0.5 : this.plain >= this.letters * 0.9 && this.letters > 0
    const molecule = this.letters === 0 ? null : nucleotide ? 'nucleotide' : 'protein'
    if (this.count && this.letters === 0 && !this.faults.length)
      this.fault(this.count === 1 ? 'There are no residues in this sequence.' : 'There are no residues in any of these records.')
    if (this.twice)
      this.warn(
        `${plural(this.twice, 'record')} share${this.twice === 1 ? 's' : ''} an id with another. They stay apart in the results, but other programs may mix them up.`,
      )
    if (this.bare && this.count > 1) this.warn('The first sequence has no title line; it is called Query_1.')
    return {
      count: this.count,
      letters: this.letters,
      molecule,
      faults: this.faults,
      warnings: this.warnings,
      first: this.first,
      longest: this.longest,
      shortest: Number.isFinite(this.shortest) ? this.shortest : 0,
    }
  }
}
const plural = (n, one) => `${n} ${one}${n === 1 ? '' : 's'}`

// Scans *source* (text or file), telling progress(fraction, scan) between pieces; stops when *signal* aborts.
export async function scan(source, signal, progress) {
  const work = new Scan()
  const size = typeof source === 'string' ? source.length : source.size
  let done = 0
  let rest = performance.now()
  for await (const piece of pieces(source)) {
    if (signal?.aborted) return null
    if (!work.take(piece)) break
    done += piece.length
    if (performance.now() - rest > 12) {
      progress?.(Math.min(1, done / size), work)
      await new Promise(resolve => setTimeout(resolve))
      rest = performance.now()
    }
  }
  return signal?.aborted ? null : work.result()
}
