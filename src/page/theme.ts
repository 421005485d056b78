/** The switch between light and dark, which is remembered; without it the system's choice counts. */
import { byId, element, sign } from './dom.js';

const KEY = 'tidegate-theme';
const DARK = matchMedia('(prefers-color-scheme: dark)');

function isDark(): boolean {
  const chosen = document.documentElement.dataset['theme'];
  return chosen === undefined ? DARK.matches : chosen === 'dark';
}

/** @param changed is called whenever other colours are shown */
export function addThemeSwitch(changed: () => void): void {
  const button = element(
    'button',
    { type: 'button', class: 'theme', role: 'switch', 'aria-label': 'Dark theme' },
    sign(
      'sun',
      'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z',
      'M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4',
    ),
    sign('moon', 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z'),
  );
  const show = (): void => button.setAttribute('aria-checked', String(isDark()));
  button.addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage may be forbidden: it is not remembered then.
    }
    show();
    changed();
  });
  DARK.addEventListener('change', () => {
    show();
    changed();
  });
  show();
  byId('tools').append(button);
}
