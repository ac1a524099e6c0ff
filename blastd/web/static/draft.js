// What is typed into the search page survives a reload: small fields in localStorage, the sequences (or the chosen
// file itself) in IndexedDB. Where storage is switched off, the page works without.

const KEY = 'blastd-draft'

export function loadFields() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}')
  } catch {
    return {}
  }
}
export function saveFields(fields) {
  try {
    localStorage.setItem(KEY, JSON.stringify(fields))
  } catch {
    /* no storage, no draft */
  }
}
function store() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('blastd', 1)
    request.onupgradeneeded = () => request.result.createObjectStore('draft')
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
async function use(mode, work) {
  try {
    const database = await store()
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction('draft', mode)
        const request = work(transaction.objectStore('draft'))
        transaction.oncomplete = () => resolve(request.result)
        transaction.onerror = transaction.onabort = () => reject(transaction.error)
      })
    } finally {
      database.close()
    }
  } catch {
    return undefined
  }
}
export const loadQuery = () => use('readonly', draft => draft.get('query'))
export const saveQuery = value => use('readwrite', draft => (value === null ? draft.delete('query') : draft.put(value, 'query')))
