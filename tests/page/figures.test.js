import assert from 'node:assert/strict'
import { before, test } from 'node:test'

let map
let figure
before(async () => {
  // What base.js looks for when it is loaded; nothing of it is used here.
  const element = new Proxy(() => element, {
    get: (_, name) => (name === 'dataset' ? { base: '', version: '1.2.3' } : element),
    set: () => true,
  })
  Object.assign(globalThis, { document: element, location: { pathname: '/login' }, matchMedia: () => ({}) })
  map = await import('../../blastd/web/static/hsp_map.js')
  figure = await import('../../blastd/web/static/figure.js')
})

test('axes are to scale: the first letter and the last stand at the ends, and steps are round', () => {
  const x = map.scale(1001, 100, 1100)
  assert.deepEqual([x(1), x(501), x(1001)], [100, 600, 1100])
  assert.equal(map.scale(1, 0, 10)(1), 0)
  assert.deepEqual(map.ticks(1000, 4), [1, 500, 1000])
  assert.deepEqual(map.ticks(3, 8), [1, 2, 3])
})

test('a caption names the search, its database, day and versions, and wraps at blanks', () => {
  const job = {
    program: 'blastn',
    task: 'megablast',
    database: ['nt'],
    created_at: '2026-01-02T03:04:05Z',
    blast_version: 'blastn: 2.12.0+',
    short_id: 'abc',
  }
  const text = figure.captionOf(job, 'Hits.')
  assert.equal(text, 'Hits. blastn (megablast), NCBI BLAST+ 2.12.0+, against nt, 2026-01-02. blastd 1.2.3, job abc.')
  assert.ok(figure.wrapped(text, 30).every(line => line.length <= 30))
  assert.equal(figure.wrapped(text, 30).join(' '), text)
})
