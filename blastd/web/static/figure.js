// Pictures that leave the page: with a caption and the colours of the light theme in the file, as SVG and as PNG.

import { failed, h, s, toast } from './base.js'

const STYLES = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-size', 'font-weight', 'font-style', 'text-anchor']
const CAPTION = 12 // px of its letters
const MARGIN = 12

const utc = text => `${new Date(text).toISOString().slice(0, 10)}`

// What a reader of the figure must know: the search, its database, the day, the versions.
export function captionOf(job, what) {
  const search = job.search ?? {}
  const version = /\d+\.\d+\.\d+\S*/.exec(search.blast_version ?? job.blast_version ?? '')?.[0]
  const task = job.task && job.task !== job.program ? ` (${job.task})` : ''
  const ended = job.finished_at ?? job.created_at
  return `${what} ${job.program}${task}${version ? `, NCBI BLAST+ ${version}` : ''}, against ${job.database.join(', ')}, ${utc(ended)}. blastd ${document.documentElement.dataset.version}, job ${job.short_id}.`
}

// Lines of at most *letters* letters, broken at blanks.
export function wrapped(text, letters) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1]
    if (last && last.length + 1 + word.length > letters) lines.push(word)
    else lines[lines.length - 1] = last ? `${last} ${word}` : word
  }
  return lines
}

// A copy of *svg* that needs no style sheet, with its caption below.
function standalone(svg, caption) {
  const { theme } = document.documentElement.dataset
  document.documentElement.dataset.theme = 'light' // paper is white
  try {
    const [, , width, height] = svg.getAttribute('viewBox').split(' ').map(Number)
    const copy = svg.cloneNode(true)
    const shown = svg.querySelectorAll('*')
    copy.querySelectorAll('*').forEach((element, i) => {
      const style = getComputedStyle(shown[i])
      for (const name of STYLES) if (style.getPropertyValue(name)) element.setAttribute(name, style.getPropertyValue(name))
      if (element.tagName === 'text') element.setAttribute('font-family', 'sans-serif')
      element.removeAttribute('class')
    })
    const lines = wrapped(caption, Math.floor((width - 2 * MARGIN) / (CAPTION * 0.55)))
    const tall = height + MARGIN * 2 + lines.length * CAPTION * 1.3
    copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
    copy.setAttribute('viewBox', `0 0 ${width} ${tall}`)
    copy.setAttribute('width', width)
    copy.setAttribute('height', tall)
    copy.prepend(s('rect', { x: 0, y: 0, width, height: tall, fill: '#ffffff' }))
    lines.forEach((line, i) => {
      const y = height + MARGIN + (i + 1) * CAPTION * 1.3
      copy.append(s('text', { x: MARGIN, y, 'font-size': CAPTION, 'font-family': 'sans-serif', fill: '#000000' }, line))
    })
    return [new XMLSerializer().serializeToString(copy), width, tall]
  } finally {
    if (theme) document.documentElement.dataset.theme = theme
    else delete document.documentElement.dataset.theme
  }
}
function save(blob, name) {
  const link = h('a', { href: URL.createObjectURL(blob), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
  toast(`${name} saved`)
}
async function png(text, width, height) {
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`
  await image.decode()
  const canvas = document.createElement('canvas')
  const scale = Math.min(3, 8000 / Math.max(width, height)) // sharp in print, within what browsers draw
  canvas.width = width * scale
  canvas.height = height * scale
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height)
  return new Promise(resolve => canvas.toBlob(resolve, 'image/png'))
}

// Buttons that save the picture; find() gives the svg, which may be drawn anew meanwhile.
export function exports(find, name, caption) {
  const button = (kind, work) =>
    h(
      'button',
      { type: 'button', class: 'quiet small', 'aria-label': `Save the figure as ${kind}`, on: { click: () => work().catch(failed) } },
      kind,
    )
  return h(
    'div',
    { class: 'exports' },
    button('SVG', async () => save(new Blob([standalone(find(), caption)[0]], { type: 'image/svg+xml' }), `${name}.svg`)),
    button('PNG', async () => save(await png(...standalone(find(), caption)), `${name}.png`)),
  )
}
