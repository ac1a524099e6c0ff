// W17: settings by name are those of the program, with a task that is installed; own ones replace their namesakes.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { presetsOf, withoutPreset, withPreset } from '../../blastd/web/static/presets.js'

const blastn = { name: 'blastn', tasks: [{ name: 'megablast' }, { name: 'blastn-short' }] }

test('a preset is offered where its task is', () => {
  const names = presetsOf(blastn, []).map(one => one.name)
  assert.deepEqual(names, ['Short primers', 'Quick look'])
  assert.deepEqual(presetsOf(undefined, []), [])
})

test('own presets stand behind, replace their namesakes and go', () => {
  const mine = { name: 'mine', program: 'blastn', task: 'megablast', options: { evalue: '1' } }
  const saved = withPreset(withPreset([], mine), { ...mine, options: { evalue: '2' } })
  assert.equal(saved.length, 1)
  assert.deepEqual(presetsOf(blastn, saved).at(-1), { ...mine, options: { evalue: '2' }, own: true })
  assert.deepEqual(withoutPreset(saved, mine), [])
  const many = Array.from({ length: 70 }, (_, n) => ({ ...mine, name: `p${n}` })).reduce(withPreset, [])
  assert.equal(many.length, 50)
  assert.equal(many.at(-1).name, 'p69')
})
