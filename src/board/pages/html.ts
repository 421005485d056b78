/** HTML as a template: all that is put in is escaped, unless it is HTML already. */

/** HTML that was made by this file's template. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** The template's own texts are ours; the values are anybody's. */
  static of(texts: TemplateStringsArray, values: readonly Value[]): Html {
    let text = texts[0]!;
    values.forEach((value, index) => (text += render(value) + texts[index + 1]!));
    return new Html(text);
  }

  toString(): string {
    return this.#text;
  }
}

/** False and undefined are nothing; an attribute's value must stand in double quotes. */
export type Value = Html | string | number | false | undefined | readonly Value[];

export function html(texts: TemplateStringsArray, ...values: Value[]): Html {
  return Html.of(texts, values);
}

function render(value: Value): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(render).join('');
  return escape(String(value));
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control characters and lone surrogates, which HTML forbids, become U+FFFD. */
function escape(text: string): string {
  return text
    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\p{Cs}\p{Noncharacter_Code_Point}]/gu, '\ufffd')
    .replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}
