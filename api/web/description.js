import { element } from './view.js';
import { parseYaml } from './yaml.js';

// Shows openapi.yaml as a page. The page is made from the file, so that the two never differ.

const $ = (id) => document.getElementById(id);
let description = null;

const resolved = (node) => {
  if (!node?.$ref) return node;
  return node.$ref.slice(2).split('/').reduce((at, name) => at[name.replaceAll('~1', '/').replaceAll('~0', '~')], description);
};

// Formats the Markdown that descriptions use: `code` and links into this service.
function prose(text = '') {
  return text.split(/(`[^`]+`|\[[^\]]+\]\(\/[^)]*\))/).map((part) => {
    const link = /^\[(.*)\]\((\/[^/].*)\)$/.exec(part);
    if (link) return element('a', { href: link[2] }, link[1]);
    return part.startsWith('`') && part.length > 1 ? element('code', {}, part.slice(1, -1)) : part;
  });
}

const paragraphs = (text = '') => text.trim().split(/\n\n/).filter(Boolean).map((each) => element('p', {}, ...prose(each)));

// ---- schemas

function range({ minimum, maximum, minLength, maxLength, minItems, maxItems }) {
  const words = [];
  for (const [least, most, what] of [[minimum, maximum, ''], [minLength, maxLength, ' characters'], [minItems, maxItems, ' of them']]) {
    if (least !== undefined && most !== undefined) words.push(`${least} to ${most}${what}`);
    else if (most !== undefined) words.push(`at most ${most}${what}`);
    else if (least > 1) words.push(`at least ${least}${what}`);
  }
  return words.length ? ` ${words.join(', ')}` : '';
}

function typeOf(schema) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(', ');
  if (schema.oneOf) return schema.oneOf.map((each) => typeOf(resolved(each))).join(' or ');
  const name = [schema.type].flat().filter(Boolean).join(' or ') || 'anything';
  const of = schema.items ? ` of ${typeOf(resolved(schema.items))}` : '';
  const preset = schema.default === undefined ? '' : `; otherwise ${JSON.stringify(schema.default)}`;
  return name + of + (schema.format ? ` (${schema.format})` : '') + range(schema) + preset;
}

// The properties of an object, together with those of all its parts.
function propertiesOf(node) {
  const schema = resolved(node) ?? {};
  const parts = [schema, ...(schema.allOf ?? []).map(propertiesOf)];
  return {
    properties: Object.assign({}, ...parts.map((part) => part.properties ?? {})),
    required: parts.flatMap((part) => part.required ?? []),
  };
}

function members(node) {
  const { properties, required } = propertiesOf(node);
  const rows = Object.entries(properties).map(([name, unresolved]) => {
    const schema = resolved(unresolved);
    const inner = [schema, resolved(schema.items), ...(schema.oneOf ?? [])].filter(Boolean).find((each) => Object.keys(propertiesOf(each).properties).length);
    return element('li', {}, element('code', {}, name), ` ${typeOf(schema)}${required.includes(name) ? '' : ', optional'}`,
      ...(schema.description ? ['. ', ...prose(schema.description)] : []), ...(inner ? [members(inner)] : []));
  });
  return element('ul', { class: 'members' }, ...rows);
}

// ---- operations

function parameter(node) {
  const { name, in: place, required, description: text, schema } = resolved(node);
  return element('li', {}, element('code', {}, name), ` in the ${place}, ${required ? 'required' : 'optional'}: ${typeOf(resolved(schema))}`,
    ...(text ? ['. ', ...prose(text)] : []));
}

function answer([status, node]) {
  const response = resolved(node);
  const content = Object.entries(response.content ?? {});
  const codes = new Set(content.flatMap(([, { schema }]) => propertiesOf(schema).properties.code?.enum ?? []));
  const [type, { schema } = {}] = content[0] ?? [];
  const item = element('li', {}, element('strong', {}, status === 'default' ? 'any other' : status), ' ', ...prose(response.description));
  if (codes.size) item.append(' Codes: ', ...[...codes].flatMap((code, i) => [i ? ', ' : '', element('code', {}, code)]), '.');
  else if (schema && Object.keys(propertiesOf(schema).properties).length && status !== 'default') item.append(members(schema));
  else if (type && status !== 'default') item.append(' ', element('code', {}, type));
  return item;
}

function operation(path, method, { operationId, summary, description: text, parameters = [], requestBody, responses, security }) {
  const body = Object.entries(resolved(requestBody)?.content ?? {});
  return element('section', { class: 'card operation', id: operationId, 'aria-labelledby': `${operationId}-title` },
    element('h3', { id: `${operationId}-title` }, element('span', { class: `method ${method}` }, method.toUpperCase()), ' ', element('code', {}, path), ` ${summary}`),
    ...paragraphs(text),
    ...(security?.length === 0 ? [element('p', { class: 'quiet' }, 'For everybody, without credentials.')] : []),
    ...(parameters.length ? [element('h4', {}, 'Takes'), element('ul', {}, ...parameters.map(parameter))] : []),
    ...(body.length ? [element('h4', {}, `Body${resolved(requestBody).required ? '' : ', optional'}`),
      element('p', {}, ...body.flatMap(([type], i) => [i ? ' or ' : '', element('code', {}, type)])), members(body[0][1].schema)] : []),
    element('h4', {}, 'Answers'), element('ul', {}, ...Object.entries(responses).map(answer)));
}

// Where a security scheme puts the credentials.
function credentials({ type, scheme, bearerFormat, name, in: place }) {
  return type === 'http' ? ['header ', element('code', {}, `Authorization: ${scheme} ${bearerFormat}`)] : [place, ' ', element('code', {}, name)];
}

function show() {
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, each]) => ({ path, method, each })));
  return [
    ...paragraphs(description.info.description),
    ...Object.entries(description.components.securitySchemes).map(([, each]) =>
      element('p', {}, 'Who asks is said in the ', ...credentials(each), ': ', ...prose(each.description))),
    element('nav', { class: 'contents', 'aria-label': 'Requests' }, element('ul', {}, ...operations.map(({ path, method, each }) =>
      element('li', {}, element('a', { href: `#${each.operationId}` }, `${method.toUpperCase()} ${path}`))))),
    ...description.tags.flatMap(({ name }) => [element('h2', {}, name[0].toUpperCase() + name.slice(1)),
      ...operations.filter(({ each }) => each.tags.includes(name)).map(({ path, method, each }) => operation(path, method, each))]),
  ];
}

async function begin() {
  try {
    const file = await fetch('/openapi.yaml', { signal: AbortSignal.timeout(45_000) });
    if (!file.ok) throw new Error(`an answer of ${file.status}`);
    description = parseYaml(await file.text());
    $('description').replaceChildren(...show());
    $('state').hidden = true;
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch (error) {
    $('state').textContent = `The description could not be shown (${error.message}). The file above holds it.`;
  }
}

begin();
