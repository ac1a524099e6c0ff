import assert from 'node:assert/strict'
import { test } from 'node:test'

import { faultOf, range, wireValue } from '../../blastd/web/static/option_values.js'
import { biopython, commandLine, curl } from '../../blastd/web/static/snippets.js'

const evalue = { name: 'evalue', type: 'number', minimum: 0, exclusive_minimum: true, choices: [] }
const gencode = { name: 'query_gencode', type: 'integer', choices: [], ranges: [[1, 6], [9, 16]] } // biome-ignore format: one option a line

test('a value is judged by the limits that the service tells', () => {
  assert.equal(faultOf(evalue, '1e-5'), null)
  assert.match(faultOf(evalue, '0'), /More than 0/)
  assert.match(faultOf(evalue, 'small'), /number/)
  assert.equal(faultOf(gencode, '11'), null)
  assert.match(faultOf(gencode, '7'), /1 to 6, 9 to 16/)
  assert.equal(range(evalue), 'more than 0')
})

test('only what differs from the default goes to the service, in its own type', () => {
  assert.equal(wireValue(evalue, '10', '10'), undefined)
  assert.equal(wireValue(evalue, '1e-5', '10'), 0.00001)
  assert.deepEqual(wireValue({ name: 'taxids', type: 'list', choices: [] }, '9606, 10090', ''), [9606, 10090])
})

test('the command line quotes what a shell would read, and gives flags no value', () => {
  const search = {
    program: 'blastn',
    task: 'megablast',
    database: ['two', 'words'],
    options: { ungapped: true, soft_masking: false, title: "it's" },
  }
  const line = commandLine(search, 'my file.fa', new Set(['ungapped']))
  assert.equal(line, "blastn -query 'my file.fa' -db 'two words' -task megablast -ungapped -soft_masking false -title 'it'\\''s'")
  assert.match(curl(search, 'https://here', 'q.fa', true), /Authorization: Bearer/)
  assert.match(biopython({ ...search, options: {} }, 'https://here', 'q.fa', false), /megablast=True/)
})
