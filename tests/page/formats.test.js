import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ago, bytes, duration, evalue, letters, plural, scoreClass } from '../../blastd/web/static/formats.js'

test('an e-value keeps its magnitude and never looks like zero when it is not', () => {
  const cases = [
    [0, '0.0'],
    [1e-180, '1e-180'],
    [3.07e-145, '3e-145'],
    [2.5e-7, '2.5e-7'],
    [0.004, '0.0040'],
    [3.25, '3.3'],
    [120000, '1.2e5'],
    [null, '–'],
  ]
  for (const [value, text] of cases) assert.equal(evalue(value), text)
})

test('durations and sizes change their unit at its limit', () => {
  assert.deepEqual([999, 1000, 59_900, 3_599_999, 3_600_000, 90_000_000].map(duration), [
    '999 ms',
    '1.0 s',
    '59 s',
    '59 min 59 s',
    '1 h 00 min',
    '1 d 1 h',
  ])
  assert.deepEqual([999, 1000, 999_499, 1e9].map(bytes), ['999 B', '1.0 kB', '999 kB', '1.0 GB'])
  assert.equal(letters(99_999, 'nucleotide'), '99,999 nt')
  assert.equal(letters(1_500_000, 'protein'), '1.5 Maa')
})

test('words follow their number, and times their distance', () => {
  assert.equal(plural(1, 'query', 'queries'), '1 query')
  assert.equal(plural(1200, 'query', 'queries'), '1,200 queries')
  const now = Date.parse('2026-01-01T12:00:00Z')
  assert.equal(ago('2026-01-01T11:59:55Z', now), 'just now')
  assert.equal(ago('2026-01-01T11:00:01Z', now), '59 min ago')
  assert.deepEqual([39, 40, 50, 80, 200].map(scoreClass), [0, 1, 2, 3, 4])
})
