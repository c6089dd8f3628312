// The common part of the tests of openapi.yaml: an api, its description, and requests that compare the two.
import assert from 'node:assert/strict';
import { request as send } from 'node:http';
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { createDatabase, startApi, user } from './support.mjs';

export const ride = { origin_lat: '1.5', origin_lon: '-2.25', target_lat: '3', target_lon: '4' };
// Header fields of every answer, which the description need not name.
const kOrdinary = new Set(['content-type', 'content-length', 'date', 'cache-control', 'x-content-type-options', 'connection']);

// Sends the request exactly as given, and returns the whole answer.
export function ask(api, method, path, headers = {}, body = undefined) {
  return new Promise((resolve, reject) => {
    const request = send(`${api.url}${path}`, { method, headers, agent: false }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject);
    if (body !== undefined) request.setHeader('Content-Length', Buffer.byteLength(body));
    request.end(body);
  });
}

export let database;
export let api;
export let document;
let ajv;
// Everything that was seen: answers as "POST /rides 201 application/json", and codes with their responses' names.
export const seen = new Set();
// The programs that are stopped at the end.
export const programs = [];

export const start = async (environment, url = database.url) => {
  const program = await startApi(url, environment);
  programs.push(program);
  return program;
};

// Call it inside describe().
export function useDescription() {
  before(async () => {
    database = createDatabase();
    api = await start({});
    document = parse((await ask(api, 'GET', '/openapi.yaml')).body);
    ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
    ajv.addSchema(document, 'openapi');
  });
  after(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    database?.drop();
  });
}

// Lets the finished request of this key wait for a person at its recovery point, and closes it as an operator does.
export async function closeRequest(key, point = 'started') {
  database.query(`UPDATE idempotency_keys SET recovery_point = '${point}', finished_at = NULL, response_code = NULL,
    response_body = NULL, parked_at = now(), last_error = 'x' WHERE idempotency_key = '${key}'`);
  const id = database.query(`SELECT id FROM idempotency_keys WHERE idempotency_key = '${key}'`);
  const closed = await ask(api, 'POST', `/ops/keys/${id}/close`, { ...kForm, Authorization: user }, form({ note: 'why' }));
  assert.equal(closed.status, 200);
}

export const resolved = (node) => {
  if (!node?.$ref) return node;
  return node.$ref.slice(2).split('/').reduce((at, name) => at[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
};
// A JSON pointer for Ajv, so that references inside the schema work.
const pointer = (...names) => `openapi#/${names.map((name) => encodeURIComponent(String(name).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;

export function check(answer, response, where, at) {
  const described = new Map(Object.entries(response.headers ?? {}).map(([name, header]) => [name.toLowerCase(), resolved(header)]));
  for (const [name, header] of described) {
    if (header.required) assert.ok(name in answer.headers, `${where}: no ${name}`);
    if (name in answer.headers) {
      const valid = ajv.compile(header.schema);
      assert.ok(valid(answer.headers[name]), `${where}: ${name}: ${answer.headers[name]}`);
    }
  }
  assert.match(answer.headers.date ?? '', / GMT$/, where);
  for (const name of Object.keys(answer.headers)) {
    assert.ok(kOrdinary.has(name) || described.has(name), `${where}: ${name} is not described`);
  }
  if (!response.content) return assert.equal(answer.body, '', where);
  const type = answer.headers['content-type'];
  assert.ok(type in response.content, `${where}: ${type} is not described`);
  const valid = ajv.getSchema(pointer(...at, 'content', type, 'schema'));
  const body = type.endsWith('json') ? JSON.parse(answer.body) : answer.body;
  assert.ok(valid(body), `${where}: ${answer.body}: ${JSON.stringify(valid.errors)}`);
  if (body.code) assert.ok(body.error || body.detail, where);
  return type;
}

// Sends a request, and compares the answer with the description of this operation or of `component`.
export async function row(method, path, { as = path, to = api, headers, body, status, code, component, present = [], absent = [] }) {
  const answer = await ask(to, method, path, headers, body);
  const where = `${method} ${path} ${answer.status} ${answer.body.slice(0, 200)}`;
  assert.equal(answer.status, status, where);
  let response;
  let at;
  if (component) {
    at = ['components', 'responses', component];
    response = document.components.responses[component];
  } else {
    const responses = document.paths[as]?.[method.toLowerCase()]?.responses;
    assert.ok(responses, `${where}: not described`);
    const name = [String(status), `${String(status)[0]}XX`].find((each) => each in responses) ?? 'default';
    assert.ok(name === String(status) || present.includes('default'), `${where}: the status is not described`);
    response = resolved(responses[name]);
    at = responses[name].$ref.slice(2).split('/');
  }
  const type = check(answer, response, where, at);
  seen.add(`${method} ${as} ${status} ${type}`);
  if (code) {
    assert.equal(JSON.parse(answer.body).code, code, where);
    seen.add(`${at.at(-1)} ${code}`);
  }
  for (const name of present.filter((each) => each !== 'default')) assert.ok(answer.headers[name.toLowerCase()], `${where}: no ${name}`);
  for (const name of absent) assert.equal(answer.headers[name.toLowerCase()], undefined, `${where}: ${name}`);
  return answer;
}

export const form = (fields) => new URLSearchParams(fields).toString();
export const kForm = { 'Content-Type': 'application/x-www-form-urlencoded' };
export const post = (path, expected, { key = randomUUID(), as = user, fields = ride, type = kForm, headers = {}, ...rest } = {}) =>
  row('POST', path, {
    headers: { ...type, ...(as && { Authorization: as }), ...(key && { 'Idempotency-Key': key }), ...headers },
    body: rest.body ?? form(fields), ...rest, ...expected });
// Checks a failure in both of its formats.
export async function refused(path, expected, more = {}) {
  await post(path, expected, more);
  return post(path, expected, { ...more, headers: { ...more.headers, Accept: 'application/problem+json' } });
}
export const kPolicy = { present: ['Link'] };
