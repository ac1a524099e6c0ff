// Numbers, times and sizes as people read them. Pure: tests/page tries them without a browser.

const whole = new Intl.NumberFormat('en')
export const count = n => (n === null || n === undefined ? '–' : whole.format(n))
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`
export function bytes(n) {
  if (n === null || n === undefined) return '–'
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let i = 0
  while (n >= 999.5 && i < 4) {
    n /= 1000
    i += 1
  }
  return `${i && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`
}
export function letters(n, molecule) {
  const unit = molecule === 'protein' ? 'aa' : molecule === 'nucleotide' ? 'nt' : 'letters'
  if (n === null || n === undefined) return '–'
  if (n < 1e5) return `${count(n)} ${unit}`
  return n < 1e6 ? `${Math.round(n / 1e3)} k${unit}` : n < 1e9 ? `${(n / 1e6).toFixed(1)} M${unit}` : `${(n / 1e9).toFixed(2)} G${unit}`
}
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return '–'
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`
  const all = ms / 1000
  if (all < 60) return `${all < 10 ? all.toFixed(1) : Math.floor(all)} s`
  if (all < 3600) return `${Math.floor(all / 60)} min ${String(Math.floor(all % 60)).padStart(2, '0')} s`
  if (all < 86400) return `${Math.floor(all / 3600)} h ${String(Math.floor(all / 60) % 60).padStart(2, '0')} min`
  return `${Math.floor(all / 86400)} d ${Math.floor(all / 3600) % 24} h`
}
export function evalue(x) {
  if (x === null || x === undefined) return '–'
  const n = Number(x)
  if (n === 0) return '0.0'
  return n < 0.001 || n >= 1e5 ? n.toExponential(n < 1e-99 ? 0 : 1).replace('e+', 'e') : n < 1 ? n.toPrecision(2) : n.toFixed(1)
}
export const fixed = (x, digits = 1) => (x === null || x === undefined ? '–' : Number(x).toFixed(digits))
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
export const when = text => (text ? clock.format(new Date(text)) : '–')
export function ago(text, now = Date.now()) {
  const past = now - Date.parse(text)
  if (Number.isNaN(past)) return '–'
  if (past < 10e3) return 'just now'
  if (past < 60e3) return `${Math.floor(past / 1e3)} s ago`
  if (past < 3600e3) return `${Math.floor(past / 60e3)} min ago`
  return past < 86400e3
    ? `${Math.floor(past / 3600e3)} h ago`
    : new Date(text).toLocaleDateString(undefined, {
        day: 'numeric',
        month: 'short',
        year: past > 3e10 ? 'numeric' : undefined,
      })
}
export const scoreClass = bits => (bits >= 200 ? 4 : bits >= 80 ? 3 : bits >= 50 ? 2 : bits >= 40 ? 1 : 0)
export const words = text => String(text ?? '').replaceAll('_', ' ')
