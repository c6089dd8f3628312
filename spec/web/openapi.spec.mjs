// Compares the description of the API with the API itself.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { testRefusals } from './openapi_refusals.mjs';
import {
  closeRequest, database, document, kForm, kPolicy, post, refused, resolved, ride, row, seen, start, useDescription,
} from './openapi_rig.mjs';
import { bearer, declinedUser, user } from './support.mjs';

describe('openapi.yaml', () => {
  useDescription();

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
    await refuse(other, { status: 403, code: 'insufficient_scope' }, { who: bearer(database.url, '--scopes', 'read') });
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
      if (code === 'request_in_progress') await refuse(id, { status: 409, code, present: ['Preference-Applied'] }, { key: held, headers: { Prefer: 'wait=1' } });
      await row('GET', `/idempotency-keys/${held}`, { as: '/idempotency-keys/{key}', status: 200, headers: { Authorization: user } });
    }
    const closed = randomUUID();
    await cancel(id, { status: 200 }, { key: closed });
    await closeRequest(closed, 'refund_prepared');
    await refuse(id, { status: 410, code: 'request_closed', present: ['Idempotent-Replayed'], absent: ['Retry-After'] }, { key: closed });
  });

  test('describes cards that are declined', async () => {
    const key = randomUUID();
    await post('/rides', { status: 402, code: 'card_declined', absent: ['Idempotent-Replayed'] }, { key, as: declinedUser });
    await refused('/rides', { status: 402, code: 'card_declined', present: ['Idempotent-Replayed'] }, { key, as: declinedUser });
  });

  testRefusals();

  test('describes deposits, the account and keys', async () => {
    const key = randomUUID();
    await post('/deposits', { status: 201 }, { key: null, fields: { amount: '5' } });
    await post('/deposits', { status: 201, absent: ['Idempotent-Replayed'] }, { key, fields: { amount: '7' } });
    await post('/deposits', { status: 201, present: ['Idempotent-Replayed'] }, { key, fields: { amount: '7' } });
    await row('GET', '/account', { status: 200, headers: { Authorization: user } });
    await row('GET', '/account', { status: 200, headers: { Authorization: declinedUser } });
    await row('GET', `/idempotency-keys/${key}`, { as: '/idempotency-keys/{key}', status: 200, headers: { Authorization: user } });
    const writer = bearer(database.url, '--scopes', 'write');
    for (const accept of ['application/json', 'application/problem+json']) {
      const headers = { Authorization: user, Accept: accept };
      await row('GET', `/idempotency-keys/${randomUUID()}`, { as: '/idempotency-keys/{key}', status: 404, code: 'idempotency_key_not_found', ...kPolicy, headers });
      for (const [path, as] of [['/account', '/account'], ['/rides', '/rides'], ['/rides/1', '/rides/{id}'], [`/idempotency-keys/${key}`, '/idempotency-keys/{key}']]) {
        await row('GET', path, { as, status: 401, code: 'credentials_missing', headers: { Accept: accept } });
        await row('GET', path, { as, status: 401, code: 'credentials_invalid', headers: { Accept: accept, Authorization: 'stranger@example.com' } });
        await row('GET', path, { as, status: 403, code: 'insufficient_scope', headers: { Accept: accept, Authorization: writer } });
      }
    }
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
