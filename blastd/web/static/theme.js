// Runs before the first paint, so that a chosen theme does not flash. Not a module: modules run too late for that.
try {
  const chosen = localStorage.getItem('blastd-theme')
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen
} catch {
  /* storage is switched off: the system's theme it is */
}
