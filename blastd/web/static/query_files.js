// Several files that are chosen as the query become one: their bytes one after the other, each ended by a line break.

const GZIP = [0x1f, 0x8b]

async function plain(file) {
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer())
  if (start[0] !== GZIP[0] || start[1] !== GZIP[1]) return file
  return new Response(file.stream().pipeThrough(new DecompressionStream('gzip'))).blob()
}

/** @type {(files: File[]) => Promise<File>} */
export async function oneFile(files) {
  if (files.length === 1) return files[0]
  const parts = []
  for (const file of files) parts.push(await plain(file), '\n')
  return new File(parts, `${files.length}-files.fa`)
}
