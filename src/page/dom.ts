/** Elements, made without any HTML: text from outside stays text. */

type Child = Node | string;
type Attributes = Readonly<Record<string, string>>;

const SVG = 'http://www.w3.org/2000/svg';

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), attributes, children);
}

export function drawing<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** A stroked sign of 24 by 24. */
export function sign(className: string, ...paths: readonly string[]): SVGSVGElement {
  const attributes = { class: className, viewBox: '0 0 24 24', 'aria-hidden': 'true' };
  return drawing('svg', attributes, ...paths.map((d) => drawing('path', { d })));
}

function fill<E extends Element>(made: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @throws if the page has no such element: server and scripts are not of one version */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element "${id}"`);
  return found;
}

/** Only if it differs: what stays the same is not laid out again. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
