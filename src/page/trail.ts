/** Whether a sensor's page was opened from the board: browsers are asked to send no referrer. */

const KEY = 'tidegate-opened';

/** On the board: the sensor that is opened is remembered, in this tab. */
export function rememberOpened(): void {
  document.addEventListener('click', ({ target }) => {
    const link = target instanceof Element ? target.closest('a[href^="/sensors/"]') : null;
    try {
      if (link) sessionStorage.setItem(KEY, link.getAttribute('href')!);
    } catch {
      // Storage may be forbidden: the board is loaded anew then.
    }
  });
}

export function cameFromBoard(): boolean {
  try {
    return sessionStorage.getItem(KEY) === location.pathname;
  } catch {
    return false;
  }
}
