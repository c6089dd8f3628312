// Compares the description of the API with the API itself.
import assert from 'node:assert/strict';
import { request as send } from 'node:http';
import { connect } from 'node:net';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { createDatabase, declinedUser, eventually, startApi, startProgram, user } from './support.mjs';

const ride = { origin_lat: '1.5', origin_lon: '-2.25', target_lat: '3', target_lon: '4' };
// Header fields of every answer, which the description need not name.
const kOrdinary = new Set(['content-type', 'content-length', 'date', 'cache-control', 'x-content-type-options', 'connection']);

// Sends the request exactly as given, and returns the whole answer.
function ask(api, method, path, headers = {}, body = undefined) {
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

describe('openapi.yaml', () => {
  let database;
  let api;
  let document;
  let ajv;
  // Everything that was seen: answers as "POST /rides 201 application/json", and codes with their responses' names.
  const seen = new Set();
  const programs = [];

  const start = async (environment, url = database.url) => {
    const program = await startApi(url, environment);
    programs.push(program);
    return program;
  };

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

  const resolved = (node) => {
    if (!node?.$ref) return node;
    return node.$ref.slice(2).split('/').reduce((at, name) => at[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
  };
  // A JSON pointer for Ajv, so that references inside the schema work.
  const pointer = (...names) => `openapi#/${names.map((name) => encodeURIComponent(String(name).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;

  function check(answer, response, where, at) {
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
  async function row(method, path, { as = path, to = api, headers, body, status, code, component, present = [], absent = [] }) {
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

  const form = (fields) => new URLSearchParams(fields).toString();
  const kForm = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const post = (path, expected, { key = randomUUID(), as = user, fields = ride, type = kForm, headers = {}, ...rest } = {}) =>
    row('POST', path, {
      headers: { ...type, ...(as && { Authorization: as }), ...(key && { 'Idempotency-Key': key }), ...headers },
      body: rest.body ?? form(fields), ...rest, ...expected });
  // Checks a failure in both of its formats.
  async function refused(path, expected, more = {}) {
    await post(path, expected, more);
    return post(path, expected, { ...more, headers: { ...more.headers, Accept: 'application/problem+json' } });
  }
  const kPolicy = { present: ['Link'] };

  test('is OpenAPI 3.1, and says so', () => {
    assert.equal(document.openapi, '3.1.0');
    const ids = Object.values(document.paths).flatMap((path) => Object.values(path).map((operation) => operation.operationId));
    assert.equal(new Set(ids).size, ids.length);
    // Every reference has a target.
    JSON.stringify(document, (name, value) => {
      if (name === '$ref') assert.ok(resolved({ $ref: value }), value);
      return value;
    });
  });

  test('describes rides', async () => {
    const key = randomUUID();
    const first = await post('/rides', { status: 201, absent: ['Idempotent-Replayed'] }, { key });
    const again = await post('/rides', { status: 201, present: ['Idempotent-Replayed'] }, { key });
    assert.equal(again.body, first.body);
    await post('/rides', { status: 201 }, { type: { 'Content-Type': 'application/json' }, body: JSON.stringify({ ...ride, origin_lat: 1.5, origin_lon: -2, target_lat: 3, target_lon: 4 }) });
    const { id } = JSON.parse(first.body).ride;
    await row('GET', `/rides/${id}`, { as: '/rides/{id}', status: 200, headers: { Authorization: user } });
    const none = { as: '/rides/{id}', status: 404, code: 'ride_not_found', headers: { Authorization: declinedUser } };
    await row('GET', `/rides/${id}`, none);
    await row('GET', `/rides/${id}`, { ...none, headers: { ...none.headers, Accept: 'application/problem+json' } });
    const list = (query, expected, headers = {}) => row('GET', `/rides${query}`, { as: '/rides', ...expected, headers: { Authorization: user, ...headers } });
    const { next_cursor: next } = JSON.parse((await list('?limit=1', { status: 200 })).body);
    await list(`?cursor=${next}`, { status: 200 });
    for (const Accept of ['application/json', 'application/problem+json']) await list('?limit=0', { status: 400, code: 'parameter_invalid' }, { Accept });
  });

  test('describes cancellations', async () => {
    const as = '/rides/{id}';
    const kBoth = ['application/json', 'application/problem+json'];
    const book = async () => JSON.parse((await post('/rides', { status: 201 })).body).ride.id;
    const cancel = (id, expected, { key, who = user, ...more } = {}) => row('DELETE', `/rides/${id}`, {
      as, ...expected, ...more, headers: { ...(who && { Authorization: who }), ...(key && { 'Idempotency-Key': key }), ...more.headers } });
    const refuse = async (id, expected, more = {}) => {
      for (const accept of kBoth) await cancel(id, expected, { ...more, headers: { ...more.headers, Accept: accept } });
    };
    const id = await book();
    const key = randomUUID();
    await cancel(id, { status: 200, absent: ['Idempotent-Replayed'] }, { key });
    await cancel(id, { status: 200, present: ['Idempotent-Replayed'] }, { key });
    await cancel(id, { status: 200 });
    await row('GET', `/rides/${id}`, { as, status: 200, headers: { Authorization: user } });
    await row('GET', `/idempotency-keys/${key}`, { as: '/idempotency-keys/{key}', status: 200, headers: { Authorization: user } });

    const other = await book();
    await refuse(other, { status: 400, code: 'idempotency_key_invalid', ...kPolicy }, { key: 'short' });
    await refuse(other, { status: 401, code: 'credentials_missing' }, { who: null });
    await refuse(other, { status: 404, code: 'ride_not_found' }, { who: declinedUser });
    await refuse(other, { status: 409, code: 'idempotency_key_reused', ...kPolicy }, { key });
    await refuse(other, { status: 415, code: 'body_type_unsupported' }, { headers: { 'Content-Type': 'text/plain' }, body: 'x' });
    await refuse(other, { status: 415, code: 'body_encoding_unsupported' }, { headers: { ...kForm, 'Content-Encoding': 'gzip' }, body: 'x' });
    await refuse(other, { status: 422, code: 'parameter_invalid' }, { headers: kForm, body: 'raise_error=perhaps' });
    await refuse(other, { status: 500, code: 'internal' }, { headers: kForm, body: 'raise_error=true', key: randomUUID() });
    await refuse(other, { status: 413, code: 'body_too_large' }, { headers: kForm, body: 'x'.repeat(70_000) });
    const silent = await start({ MOCK_OUTAGE_PERCENT: '100' });
    await refuse(other, { status: 503, code: 'payment_unavailable', present: ['Retry-After'] }, { to: silent });

    const unfinished = randomUUID();
    await post('/rides', { status: 500 }, { key: unfinished, fields: { ...ride, raise_error: 'true' } });
    const begun = database.query('SELECT max(id) FROM rides');
    await refuse(begun, { status: 409, code: 'ride_unfinished', present: ['Retry-After'] });
    await row('GET', `/rides/${begun}`, { as, status: 200, headers: { Authorization: user } });
    await post('/rides', { status: 402 }, { as: declinedUser });
    await refuse(database.query('SELECT max(id) FROM rides'), { status: 409, code: 'ride_not_charged', absent: ['Retry-After'] }, { who: declinedUser });
    for (const [set, code] of [["lease = gen_random_uuid(), locked_at = now()", 'request_in_progress'], ["parked_at = now(), last_error = 'x'", 'request_parked']]) {
      const held = randomUUID();
      await cancel(id, { status: 200 }, { key: held });
      database.query(`UPDATE idempotency_keys SET recovery_point = 'refund_prepared', finished_at = NULL, response_code = NULL,
        response_body = NULL, ${set} WHERE idempotency_key = '${held}'`);
      await refuse(id, { status: 409, code, ...kPolicy }, { key: held });
      await row('GET', `/idempotency-keys/${held}`, { as: '/idempotency-keys/{key}', status: 200, headers: { Authorization: user } });
    }
  });

  test('describes cards that are declined', async () => {
    const key = randomUUID();
    await post('/rides', { status: 402, code: 'card_declined', absent: ['Idempotent-Replayed'] }, { key, as: declinedUser });
    await refused('/rides', { status: 402, code: 'card_declined', present: ['Idempotent-Replayed'] }, { key, as: declinedUser });
  });

  for (const path of ['/rides', '/deposits']) {
    const fields = path === '/rides' ? ride : { amount: '5' };
    test(`describes what is refused of ${path}`, async () => {
      const all = { fields };
      if (path === '/rides') await refused(path, { status: 400, code: 'idempotency_key_missing', ...kPolicy }, { ...all, key: null });
      await refused(path, { status: 400, code: 'idempotency_key_invalid', ...kPolicy }, { ...all, key: 'short' });
      await refused(path, { status: 400, code: 'idempotency_key_invalid', ...kPolicy }, { ...all, key: 'x'.repeat(256) });
      await refused(path, { status: 400, code: 'body_malformed', absent: ['Link'] }, { body: 'amount=%zz' });
      await refused(path, { status: 401, code: 'credentials_missing', present: ['WWW-Authenticate'] }, { ...all, as: null });
      await refused(path, { status: 401, code: 'credentials_invalid', present: ['WWW-Authenticate'] }, { ...all, as: 'stranger@example.com' });
      await refused(path, { status: 415, code: 'body_type_unsupported' }, { ...all, type: { 'Content-Type': 'text/plain' } });
      await refused(path, { status: 415, code: 'body_encoding_unsupported' }, { ...all, headers: { 'Content-Encoding': 'gzip' } });
      await refused(path, { status: 422, code: 'parameter_missing', absent: ['Link'] }, { fields: { other: '1' } });
      await refused(path, { status: 422, code: 'parameter_invalid' }, { fields: { ...fields, amount: '0', origin_lat: '0x1A' } });
      await refused(path, { status: 413, code: 'body_too_large' }, { ...all, body: 'x'.repeat(70_000) });
      const key = randomUUID();
      await post(path, { status: 201 }, { ...all, key });
      await refused(path, { status: 409, code: 'idempotency_key_reused', ...kPolicy, absent: ['Retry-After'] }, { key, fields: { ...fields, amount: '6', origin_lat: '9' } });
      const strict = await start({ KEY_REUSED_STATUS: '422' });
      await refused(path, { status: 422, code: 'idempotency_key_reused', ...kPolicy }, { key, to: strict, fields: { ...fields, amount: '6', origin_lat: '9' } });
    });

    test(`describes keys of ${path} that are at work or parked`, async () => {
      const kRetry = { present: ['Link', 'Retry-After'] };
      for (const [set, code, headers] of [
        ["lease = gen_random_uuid(), locked_at = now()", 'request_in_progress', kRetry],
        ["parked_at = now(), last_error = 'x'", 'request_parked', { ...kPolicy, absent: ['Retry-After'] }]]) {
        const key = randomUUID();
        await post(path, { status: 201 }, { key, fields });
        database.query(`UPDATE idempotency_keys SET recovery_point = 'started', finished_at = NULL, response_code = NULL,
          response_body = NULL, ${set} WHERE idempotency_key = '${key}'`);
        await refused(path, { status: 409, code, ...headers }, { key, fields });
        await row('GET', `/idempotency-keys/${key}`, { as: '/idempotency-keys/{key}', status: 200, headers: { Authorization: user } });
      }
    });

    test(`describes ${path} while the service is overloaded, away or wrong`, async () => {
      const busy = await start({ API_LINE_LIMIT: '1', MOCK_LATENCY_MS: '60000' });
      const holder = randomUUID();
      ask(busy, 'POST', '/rides', { ...kForm, Authorization: user, 'Idempotency-Key': holder }, form(ride)).catch(() => {});
      await eventually(() => database.count('idempotency_keys', `idempotency_key = '${holder}'`) === 1, 'a full line');
      await refused(path, { status: 503, code: 'overloaded', present: ['Retry-After'] }, { to: busy, fields });
      const gets = [['/rides', '/rides'], ['/rides/1', '/rides/{id}'], [`/idempotency-keys/${randomUUID()}`, '/idempotency-keys/{key}'], ['/account', '/account']];
      for (const [get, as] of gets) {
        await row('GET', get, { as, to: busy, status: 503, code: 'overloaded', headers: { Authorization: user }, present: ['Retry-After'] });
      }
      busy.kill('SIGKILL');
      // All unknown users at one address share one of a hundred places.
      const narrow = await start({ API_LINE_LIMIT: '100', API_ADDRESS_SHARE: '1', MOCK_LATENCY_MS: '60000' });
      const other = randomUUID();
      ask(narrow, 'POST', '/rides', { ...kForm, Authorization: user, 'Idempotency-Key': other }, form(ride)).catch(() => {});
      await eventually(() => database.count('idempotency_keys', `idempotency_key = '${other}'`) === 1, 'a share that is used up');
      const kBusy = { to: narrow, status: 429, code: 'too_many_requests', present: ['Retry-After'] };
      await refused(path, kBusy, { to: narrow, fields });
      for (const accept of ['application/json', 'application/problem+json']) {
        const headers = { Authorization: user, Accept: accept };
        for (const [get, as] of gets) await row('GET', get, { as, ...kBusy, headers });
        await row('DELETE', '/rides/1', { as: '/rides/{id}', ...kBusy, headers });
      }
      narrow.kill('SIGKILL');
      const away = await start({}, 'postgresql:///nothing?host=/nonexistent');
      await refused(path, { status: 503, code: 'database_unavailable', present: ['Retry-After'] }, { to: away, fields });
      for (const [get, as] of [['/rides', '/rides'], ['/rides/1', '/rides/{id}'], [`/idempotency-keys/${randomUUID()}`, '/idempotency-keys/{key}'], ['/account', '/account'], ['/readyz', '/readyz']]) {
        const expected = { as, to: away, status: 503, code: 'database_unavailable', headers: { Authorization: user } };
        await row('GET', get, expected);
        await row('GET', get, { ...expected, headers: { ...expected.headers, Accept: 'application/problem+json' } });
      }
      const table = path === '/rides' ? 'audit_records' : 'deposits';
      database.query(`ALTER TABLE ${table} ADD CONSTRAINT broken CHECK (id < 0) NOT VALID`);
      try {
        await refused(path, { status: 500, code: 'internal' }, { fields });
      } finally {
        database.query(`ALTER TABLE ${table} DROP CONSTRAINT broken`);
      }
    });
  }

  test('describes providers that do not answer, and that refuse', async () => {
    const silent = await start({ MOCK_OUTAGE_PERCENT: '100' });
    await refused('/rides', { status: 503, code: 'payment_unavailable', present: ['Retry-After'], absent: ['Idempotent-Replayed'] }, { to: silent });
    const key = randomUUID();
    await post('/rides', { status: 503, code: 'payment_unavailable' }, { to: silent, key });
    await row('GET', `/idempotency-keys/${key}`, { as: '/idempotency-keys/{key}', status: 200, headers: { Authorization: user } });
    const provider = startProgram('payment_provider', {}, ['--port=0']);
    programs.push(provider);
    const [, port] = /port=(\d+)/.exec(await provider.line('listening'));
    const url = `http://127.0.0.1:${port}`;
    const refusing = await start({ CHARGE_GATEWAY: 'stripe', STRIPE_API_KEY: 'sk_test_of_specs', STRIPE_API_BASE: url });
    // A user that the provider does not know.
    database.query("INSERT INTO users (email, stripe_customer_id) VALUES ('nobody@example.com', 'nobody')");
    const rejected = { to: refusing, key: randomUUID(), as: 'nobody@example.com' };
    await post('/rides', { status: 503, code: 'payment_rejected', absent: ['Retry-After'] }, rejected);
    await refused('/rides', { status: 503, code: 'payment_rejected', present: ['Idempotent-Replayed'] }, rejected);
  });

  test('describes deposits, the account and keys', async () => {
    const key = randomUUID();
    await post('/deposits', { status: 201 }, { key: null, fields: { amount: '5' } });
    await post('/deposits', { status: 201, absent: ['Idempotent-Replayed'] }, { key, fields: { amount: '7' } });
    await post('/deposits', { status: 201, present: ['Idempotent-Replayed'] }, { key, fields: { amount: '7' } });
    await row('GET', '/account', { status: 200, headers: { Authorization: user } });
    await row('GET', '/account', { status: 200, headers: { Authorization: declinedUser } });
    await row('GET', `/idempotency-keys/${key}`, { as: '/idempotency-keys/{key}', status: 200, headers: { Authorization: user } });
    for (const accept of ['application/json', 'application/problem+json']) {
      const headers = { Authorization: user, Accept: accept };
      await row('GET', `/idempotency-keys/${randomUUID()}`, { as: '/idempotency-keys/{key}', status: 404, code: 'idempotency_key_not_found', ...kPolicy, headers });
      for (const [path, as] of [['/account', '/account'], ['/rides', '/rides'], ['/rides/1', '/rides/{id}'], [`/idempotency-keys/${key}`, '/idempotency-keys/{key}']]) {
        await row('GET', path, { as, status: 401, code: 'credentials_missing', headers: { Accept: accept } });
        await row('GET', path, { as, status: 401, code: 'credentials_invalid', headers: { Accept: accept, Authorization: 'stranger@example.com' } });
      }
    }
  });

  test('describes a service that is not ready', async () => {
    const notReady = async (code, to) => {
      for (const accept of ['application/json', 'application/problem+json']) {
        await row('GET', '/readyz', { to, status: 503, code, present: ['Retry-After'], headers: { Accept: accept } });
      }
    };
    const lacking = await start({});
    database.query('ALTER TABLE refunds RENAME TO elsewhere');
    try {
      await eventually(async () => (await ask(lacking, 'GET', '/readyz')).status === 503, 'a check');
      await notReady('database_not_ready', lacking);
    } finally {
      database.query('ALTER TABLE elsewhere RENAME TO refunds');
    }
    await eventually(async () => (await ask(lacking, 'GET', '/readyz')).status === 200, 'readiness');
    const stopping = await start({ MOCK_LATENCY_MS: '5000' });
    const holder = randomUUID();
    ask(stopping, 'POST', '/rides', { ...kForm, Authorization: user, 'Idempotency-Key': holder }, form(ride)).catch(() => {});
    await eventually(() => database.count('idempotency_keys', `idempotency_key = '${holder}'`) === 1, 'a request under way');
    stopping.kill('SIGTERM');
    await eventually(async () => (await ask(stopping, 'GET', '/readyz')).status === 503, 'the stop');
    await notReady('overloaded', stopping);
  });

  test('describes operations and pages', async () => {
    await row('GET', '/healthz', { status: 200 });
    await row('GET', '/readyz', { status: 200 });
    for (const path of ['/', '/deposits', '/docs/idempotency', '/docs/api', '/openapi.yaml']) {
      const { headers } = await row('GET', path, { status: 200 });
      await row('GET', path, { status: 304, headers: { 'If-None-Match': headers.etag } });
    }
  });

  test('describes what is not there', async () => {
    await row('GET', '/nothing', { status: 404, code: 'not_found', component: 'NotThisApi' });
    const key = randomUUID();
    const { body } = await post('/rides', { status: 201 }, { key });
    const variable = { '{id}': JSON.parse(body).ride.id, '{key}': key };
    for (const [path, operations] of Object.entries(document.paths)) {
      const methods = Object.keys(operations).map((method) => method.toUpperCase());
      const real = path.replace(/\{.*\}/, (name) => variable[name]);
      // No path has this method. The Allow field must name exactly the described methods.
      const { headers } = await row('PATCH', real, { status: 405, code: 'method_not_allowed', component: 'NotThisApi', present: ['Allow'] });
      assert.deepEqual(headers.allow.split(', ').sort(), methods.sort(), path);
      const options = await row('OPTIONS', real, { as: path, status: 204, present: ['Allow'] });
      assert.equal(options.headers.allow, headers.allow, path);
      if (methods.includes('HEAD')) await row('HEAD', real, { as: path, status: 200, headers: { Authorization: user } });
    }
  });

  test('describes what is no proper request', async () => {
    const raw = (bytes) => new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(api.port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (part) => { text += part; });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
    const refusals = [
      ['POST /rides HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n', '', 400],
      ['POST /rides HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n', '5\nhello\n0\n\n', 400],
      ['GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n', '', 400],
      [`GET /${'x'.repeat(5000)} HTTP/1.1\r\nHost: a\r\n`, '', 414],
      ['GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n', '', 417],
      [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n`, '', 431],
      ['GET / HTTP/3.0\r\nHost: a\r\n', '', 505]];
    for (const accept of ['application/json', 'application/problem+json']) {
      for (const [start, rest, status] of refusals) {
        const line = start.indexOf('\r\n') + 2;
        const bytes = `${start.slice(0, line)}Accept: ${accept}\r\n${start.slice(line)}\r\n${rest}`;
        const text = await raw(bytes);
        const [head, body] = text.split('\r\n\r\n');
        const [first, ...fields] = head.split('\r\n');
        assert.equal(first.split(' ')[1], String(status), text);
        const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]));
        const type = check({ status, headers, body }, document.components.responses.NotThisApi, bytes.slice(0, 60), ['components', 'responses', 'NotThisApi']);
        assert.equal(type, accept, text);
      }
    }
  });

  // The last test. Everything that is described must have been seen above.
  test('describes nothing that does not happen', () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { responses }] of Object.entries(operations)) {
        for (const [status, response] of Object.entries(responses)) {
          if (status === 'default' || status === '4XX') continue;
          for (const type of Object.keys(resolved(response).content ?? { undefined: 0 })) {
            assert.ok(seen.has(`${method.toUpperCase()} ${path} ${status} ${type}`), `${method} ${path} ${status} ${type}`);
          }
        }
      }
    }
    for (const [name, { content }] of Object.entries(document.components.responses)) {
      for (const code of content?.['application/json']?.schema.allOf?.[1].properties.code.enum ?? []) {
        assert.ok(seen.has(`${name} ${code}`), `${name} ${code}`);
      }
    }
  });
});
