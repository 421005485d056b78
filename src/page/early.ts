/** Runs before the first paint, as a classic script: the theme, and that scripts work at all. */
{
  const root = document.documentElement;
  /** ms: a page whose modules are not there by then shows its table instead. */
  const PATIENCE = 6000;
  let theme: string | null = null;
  try {
    theme = localStorage.getItem('tidegate-theme');
  } catch {
    // Storage may be forbidden: the system's theme it is.
  }
  if (theme === 'light' || theme === 'dark') root.dataset['theme'] = theme;
  root.dataset['scripted'] = '';
  setTimeout(() => {
    if (root.dataset['ready'] === undefined) delete root.dataset['scripted'];
  }, PATIENCE);
}
