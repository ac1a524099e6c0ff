// What may stand in an option, and how it goes to the service: by what /api/blast/programs tells of it. Pure.

export const kindOf = option => (option.choices?.length ? 'choice' : option.type)
export const same = (a, b) => a === b || String(a) === String(b)

// Returns the sentence that says what is wrong with *text* for *option*, or null.
export function faultOf(option, text) {
  const kind = kindOf(option)
  if (kind === 'boolean' || kind === 'choice') return null
  if (kind === 'integer' || kind === 'number') {
    const form = kind === 'integer' ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
    if (!form.test(text)) return kind === 'integer' ? 'A whole number, please.' : 'A number, please, such as 0.001 or 1e-5.'
    const value = Number(text)
    const { minimum, maximum, exclusive_minimum: above, exclusive_maximum: below } = option
    if (!Number.isFinite(value)) return 'This number is too large.'
    if (typeof above === 'number' && value <= above) return `More than ${above}, please.`
    if (above === true && value <= minimum) return `More than ${minimum}, please.`
    if (typeof minimum === 'number' && value < minimum) return `At least ${minimum}, please.`
    if (typeof below === 'number' && value >= below) return `Less than ${below}, please.`
    if (below === true && value >= maximum) return `Less than ${maximum}, please.`
    if (typeof maximum === 'number' && value > maximum) return `At most ${maximum}, please.`
    const spans = option.ranges ?? []
    if (spans.length && !spans.some(([low, high]) => value >= low && value <= high)) return `One of ${spansText(spans)}, please.`
    return null
  }
  if (option.pattern) {
    try {
      if (!new RegExp(`^(?:${option.pattern})$`, 'u').test(text))
        return option.pattern_help ?? 'This is not of the form that BLAST+ reads here.'
    } catch {
      return null
    }
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return /[\0-\x1f]/.test(text) ? 'One line of text, please.' : null
}

const spansText = spans => spans.map(([low, high]) => (low === high ? low : `${low} to ${high}`)).join(', ')
export function range(option) {
  if (option.ranges?.length) return spansText(option.ranges)
  const { minimum, maximum, exclusive_minimum: above } = option
  const low =
    typeof above === 'number'
      ? `more than ${above}`
      : above === true
        ? `more than ${minimum}`
        : typeof minimum === 'number'
          ? `${minimum}`
          : null
  if (low !== null && typeof maximum === 'number') return low.startsWith('more') ? `${low}, up to ${maximum}` : `${low} to ${maximum}`
  if (low !== null) return low.startsWith('more') ? low : `${low} or more`
  return typeof maximum === 'number' ? `up to ${maximum}` : null
}

// The value as the API wants it; undefined where it equals the default.
export function wireValue(option, text, standard) {
  const kind = kindOf(option)
  if (kind === 'boolean') return text === standard ? undefined : text
  if (text === '' || text === null) return undefined
  if (same(text, standard)) return undefined
  if (option.type === 'integer' || option.type === 'number') {
    const n = Number(text)
    return n === Number(standard) && standard !== null && standard !== '' ? undefined : n
  }
  if (option.type === 'list')
    return text
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(part => (/^\d+$/.test(part) ? Number(part) : part))
  return text
}
