// A part of openapi.spec.mjs: compares the description with what the API refuses, and with its answers while it or
// something that it needs is out of order.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import {
  api, ask, check, closeRequest, database, document, form, kForm, kPolicy, post, programs, refused, ride, row, start,
} from './openapi_rig.mjs';
import { bearer, declinedUser, eventually, startProgram, user } from './support.mjs';

// Call it inside describe(), after useDescription().
export function testRefusals() {
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
      const reader = bearer(database.url, '--scopes', 'read');
      await refused(path, { status: 403, code: 'insufficient_scope', present: ['WWW-Authenticate'] }, { ...all, as: reader });
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

    test(`describes requests to ${path} that an operator has closed`, async () => {
      const key = randomUUID();
      await post(path, { status: 201 }, { key, fields });
      await closeRequest(key);
      await refused(path, { status: 410, code: 'request_closed', present: ['Idempotent-Replayed'], absent: ['Retry-After'] }, { key, fields });
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
      // A user has one of a hundred places. The first request still counts for the address.
      const narrow = await start({ API_LINE_LIMIT: '100', API_CALLER_SHARE: '1', MOCK_LATENCY_MS: '60000' });
      for (const other of [randomUUID(), randomUUID()]) {
        ask(narrow, 'POST', '/rides', { ...kForm, Authorization: user, 'Idempotency-Key': other }, form(ride)).catch(() => {});
        await eventually(() => database.count('idempotency_keys', `idempotency_key = '${other}'`) === 1, 'a share that is used up');
      }
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

  test('describes the limits of callers', async () => {
    // Sends until the limit is used up, and then compares each of the requests in both formats.
    const limit = async (environment, code, use, requests) => {
      const limited = await start(environment);
      await eventually(async () => { const { status } = await use(limited); return status === 429; }, code);
      for (const [method, path, as, headers, body] of requests) {
        for (const accept of ['application/json', 'application/problem+json']) {
          if (code === 'rate_limited') await eventually(async () => (await use(limited)).status === 429, code);
          await row(method, path, { as, to: limited, status: 429, code, body, present: ['Retry-After', 'RateLimit', 'RateLimit-Policy'],
            headers: { Accept: accept, ...headers } });
        }
      }
    };
    const as = (who) => ({ Authorization: who });
    const withKey = (who) => ({ ...kForm, ...as(who), 'Idempotency-Key': randomUUID() });
    const deposits = (who) => [['POST', '/deposits', '/deposits', withKey(who), form({ amount: '5' })], ['DELETE', '/rides/1', '/rides/{id}', withKey(who)]];
    const rides = (who) => [['POST', '/rides', '/rides', withKey(who), form(ride)]];
    const all = (who) => [['GET', '/account', '/account', as(who)], ...deposits(who), ...rides(who)];
    const get = (who) => (to) => ask(to, 'GET', '/account', as(who));
    const makeDeposit = (to) => ask(to, 'POST', '/deposits', withKey(user), form({ amount: '5' }));
    const book = (who) => (to) => ask(to, 'POST', '/rides', withKey(who), form(ride));
    await limit({ API_REQUESTS_PER_S: '1', API_REQUEST_BURST: '1' }, 'rate_limited', get(user), all(user));
    await limit({ API_FAILED_CREDENTIALS_PER_MIN: '1' }, 'too_many_failed_credentials', get('stranger@example.com'), all('stranger@example.com'));
    await limit({ API_KEYS_PER_DAY: '1' }, 'too_many_keys', makeDeposit, [...deposits(user), ...rides(user)]);
    await limit({ API_UNFINISHED_KEYS_PER_H: '1', MOCK_OUTAGE_PERCENT: '100' }, 'too_many_unfinished_keys', book(user), [...deposits(user), ...rides(user)]);
    await limit({ API_DECLINES_PER_H: '1' }, 'too_many_declines', book(declinedUser), rides(declinedUser));
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

  test('describes what is no proper request', async () => {
    const raw = (bytes) => new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(api.port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (part) => { text += part; });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
    const refusals = [
      ['POST /rides HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n', '', 400],
      ['POST /rides HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n', '5\nhello\n0\n\n', 400],
      ['GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n', '', 400],
      ['GET / HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n', '', 421],
      [`GET /${'x'.repeat(5000)} HTTP/1.1\r\nHost: localhost\r\n`, '', 414],
      ['GET / HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n', '', 417],
      [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n`, '', 431],
      ['GET / HTTP/3.0\r\nHost: localhost\r\n', '', 505]];
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
}
