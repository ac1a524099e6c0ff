// Each warning that the service adds to a search comes with what to do about it.
import assert from 'node:assert/strict'
import test from 'node:test'
import { remedy } from '../../blastd/web/static/remedy.js'

test('a warning leads to the search that it advises', () => {
  assert.deepEqual(remedy('Every query has fewer than 30 letters: task blastn-short finds what megablast misses.'), [
    'task=blastn-short',
    'Search again with blastn-short',
  ])
  assert.deepEqual(
    remedy('max_target_seqs under 5 does not mean the best hits: BLAST+ applies it early in the search; ask for 5 or more.'),
    ['set.max_target_seqs=5', 'Search again with 5 subjects'],
  )
  assert.equal(remedy('use_sw_tback can make blastx thousands of times slower.')[0], 'without=use_sw_tback')
  assert.deepEqual(remedy('BLAST+ said something else.'), ['', 'Edit and search again'])
})
