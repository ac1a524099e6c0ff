import assert from 'node:assert/strict'
import { test } from 'node:test'

import { scan } from '../../blastd/web/static/fasta.js'

const read = text => scan(text, new AbortController().signal)

test('records, letters and the molecule are counted', async () => {
  const seen = await read('>a first\nACGT\nACGTN\n>b\nACG\n')
  assert.deepEqual([seen.count, seen.letters, seen.longest, seen.shortest], [2, 12, 9, 3])
  assert.equal(seen.molecule, 'nucleotide')
  assert.deepEqual(seen.faults, [])
})

test('a protein is told from its letters', async () => {
  assert.equal((await read('>p\nMQIFVKTLTGKTITLEVEPSD\n')).molecule, 'protein')
})

test('other formats are named, not read', async () => {
  for (const [text, name] of [
    ['@read1\nACGT\n+\nIIII\n', 'FASTQ'],
    ['LOCUS       AB000001\n', 'GenBank'],
    ['<html></html>', 'XML'],
  ])
    assert.match((await read(text)).faults[0], new RegExp(name))
})

test('an id that comes twice is told, and an empty record is told', async () => {
  const seen = await read('>a\nACGT\n>a\nACGT\n')
  assert.match(seen.warnings.join(' '), /shares an id/)
  assert.match((await read('>a\n>b\nACGT\n')).warnings.join(' '), /has no residues/)
})
