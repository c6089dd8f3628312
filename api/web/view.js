// Everything is inserted as text, never as markup, wherever it comes from.

// element('p', { class: 'quiet' }, 'text', anotherElement)
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

// A coloured box with a heading that can take the focus. kind: good, warn or bad.
export function notice(kind, heading, ...children) {
  return element('div', { class: `notice ${kind}` }, element('h2', { tabindex: '-1' }, heading), ...children);
}

// Returns [[name, value], …] as a list of facts.
export function facts(pairs) {
  return element('dl', { class: 'facts' }, ...pairs.flatMap(([name, value]) => [
    element('dt', {}, name),
    element('dd', {}, value),
  ]));
}

export const code = (text) => element('code', {}, text);

export const clock = (time = Date.now()) =>
  new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const dollars = (amount) =>
  Number.isFinite(amount) ? `$${amount.toLocaleString('en-US')}` : '$–';
