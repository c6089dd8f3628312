// The laboratory page shows the truth, the system repairs what the page breaks, and other users' requests are not
// disturbed.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { createDatabase, declinedUser, eventually, launchBrowser, reuseProfile, runInShell, startApi, startProgram, user } from './support.mjs';

describe('laboratory', () => {
  let folder;
  let ledger;
  let database;
  let api;
  let completer;
  let browser;
  let shared;
  let profile;
  let page;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'laboratory-'));
    ledger = path.join(folder, 'ledger');
    database = createDatabase();
    completer = startProgram('completer', { DATABASE_URL: database.url, MOCK_LEDGER: ledger, COMPLETER_IDLE_MS: '100' });
    [api, browser] = await Promise.all([startApi(database.url, { LAB: 'on', MOCK_LEDGER: ledger }), launchBrowser()]);
    shared = await reuseProfile(browser, api.url);
    profile = shared.profile;
  });
  after(async () => {
    await Promise.all([browser?.close(), api?.stop(), completer?.stop()]);
    database?.drop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    page = await shared.openFresh('/lab');
    await page.getByText('Live.').waitFor();
  });
  afterEach(async () => {
    assert.deepEqual(profile.faults.filter((fault) => !fault.includes('Failed to load resource')), []);
  });

  const story = (text) => page.locator('#story li', { hasText: text }).first().waitFor();
  const press = (name) => page.getByRole('button', { name, exact: true }).click();
  const fact = (id, text) => page.locator(`#${id}`, { hasText: text }).waitFor();
  const chargesOf = (key) => {
    const chargeKey = database.query(`SELECT charge_key FROM rides r JOIN idempotency_keys k ON k.id = r.idempotency_key_id WHERE k.idempotency_key = '${key}'`);
    const calls = readFileSync(ledger, 'utf8').split('\n').filter((line) => line.startsWith(chargeKey)).map((line) => line.split(' '));
    return { calls: calls.length, charges: new Set(calls.map((words) => words[4])).size };
  };
  async function begin(fault) {
    await page.getByLabel(fault).check();
    await press('Send a new request');
    return page.locator('#key').textContent();
  }
  async function expectOneCharge(key, calls) {
    await fact('ledger', `${calls} call${calls === 1 ? '' : 's'} with one charge key, 1 charge`);
    await fact('point', 'finished');
    assert.deepEqual(chargesOf(key), { calls, charges: 1 });
    assert.equal(database.count('rides', `idempotency_key_id = (SELECT id FROM idempotency_keys WHERE idempotency_key = '${key}')`), 1);
  }

  test('shows a request that goes well', async () => {
    const key = await begin('nothing go wrong');
    await story('201. Booked.');
    await expectOneCharge(key, 1);
    await press('Retry by hand');
    await story('201, replayed. The stored answer');
    await expectOneCharge(key, 1);
    assert.deepEqual(profile.faults, []);
  });

  for (const [fault, calls, sentence] of [
    ['the process fail just before the charge', 1, '500. The process failed just before the charge'],
    ['the payment provider be down', 1, '503. The provider was not reached'],
    ['the provider charge, and its answer get lost', 2, '503. The provider has charged the card, and nobody here knows'],
  ]) {
    test(`lets ${fault}; a retry by hand mends it`, async () => {
      const key = await begin(fault);
      await story(sentence);
      await fact('point', 'ride_created, waiting');
      await press('Retry by hand');
      await story('201. Booked.');
      await expectOneCharge(key, calls);
    });
  }

  test('tells of each request under a heading of its own', async () => {
    await begin('the process fail just before the charge');
    await story('500. The process failed');
    await press('Retry by hand');
    await story('201. Booked.');
    await begin('nothing go wrong');
    await page.locator('#story section').nth(1).waitFor();
    await story('201. Booked.');
    const parts = page.locator('#story section');
    const headings = await parts.getByRole('heading').allTextContents();
    assert.deepEqual(headings, ['Request 2: let nothing go wrong', 'Request 1: let the process fail just before the charge']);
    await parts.nth(0).getByText('201.').waitFor();
    assert.doesNotMatch(await parts.nth(0).textContent(), /500|Retried/);
    assert.match(await parts.nth(1).textContent(), /201\. Booked.*Retried by hand.*500\. The process failed.*Sent\./s);
  });

  test('shows the next request as a command that does the same', async () => {
    const next = () => page.locator('#curl').textContent();
    await page.getByLabel('the payment provider be down').check();
    const command = await next();
    assert.match(runInShell(command), /^HTTP\/1.1 503/);
    const key = await begin('nothing go wrong');
    assert.ok(command.includes(key));
    await story('201. Booked.');
    assert.ok(!(await next()).includes(key));
    assert.match(runInShell(await next()), /^HTTP\/1.1 201/);
  });

  test('lets the completer finish what nobody comes back for', async () => {
    const key = await begin('the provider charge, and its answer get lost');
    await story('503. The provider has charged');
    await fact('ledger', '1 call with one charge key, 1 charge');
    await press('Let the completer have it now');
    await story('Two hours pass');
    await story('The completer took it');
    await story('Finished without its client');
    await fact('attempts', '2, of which 1 by completers');
    await expectOneCharge(key, 2);
    await press('Retry by hand');
    await story('201, replayed');
  });

  test('lets a process stall, and the completer overtake it', async () => {
    const key = await begin('the process stall for 20 s after the charge');
    await story('Stalled.');
    await fact('point', 'ride_created, in progress');
    await press('Retry by hand');
    await story('409. Somebody holds the lease');
    await press('Let the completer have it now');
    await story('The completer took it');
    await expectOneCharge(key, 2);
    // Requests of other clients are served meanwhile and do not stall.
    const answer = await fetch(`${api.url}/rides`, { method: 'POST', headers: { Authorization: user, 'Idempotency-Key': randomUUID() },
      body: new URLSearchParams({ origin_lat: 1, origin_lon: 1, target_lat: 1, target_lon: 1 }) });
    assert.equal(answer.status, 201);
  });

  test('shows everybody what is under way, parked and waiting', async () => {
    const parked = randomUUID();
    const evil = '<img src=x onerror="window.broken=1">';
    const book = (key, more = {}) => fetch(`${api.url}/rides`, { method: 'POST', headers: { Authorization: user, 'Idempotency-Key': key },
      body: new URLSearchParams({ origin_lat: 1, origin_lon: 1, target_lat: 1, target_lon: 1, ...more }) });
    const waiting = randomUUID();
    await book(parked, { raise_error: 'true' });
    await book(waiting, { raise_error: 'true' });
    database.query(`UPDATE idempotency_keys SET parked_at = now(), last_error = '${evil}' WHERE idempotency_key = '${parked}'`);
    await page.locator('#parked tr', { hasText: parked.slice(0, 8) }).locator('td', { hasText: evil }).waitFor();
    await page.locator('#unfinished tr', { hasText: waiting.slice(0, 8) }).locator('td', { hasText: 'raise_error was asked for' }).waitFor();
    assert.match(await page.locator('#stations').textContent(), /ride created 1/);
    assert.ok(await page.locator('#track .dot.waiting').count() >= 1);
    await fact('workers', /api: 2 connections.*completer: 2 connections/);
    await fact('jobs', String(database.count('staged_jobs')));
    await book(waiting);
    await page.locator('#unfinished', { hasText: 'None' }).waitFor();
    await page.locator('#track .dot.ended').first().waitFor();
    // An e-mail address would be a credential.
    const board = await (await fetch(`${api.url}/ops/board`, { headers: { Authorization: user } })).text();
    assert.match(board, /"user":"user [0-9]+"/);
    assert.doesNotMatch(board, /example\.com/);
    assert.equal(await page.evaluate(() => window.broken), undefined);
    assert.equal(await page.locator('main img').count(), 0);
  });

  test('asks the database once a second, however many look', async () => {
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${api.url}/ops/board`, { headers: { Authorization: user } })));
    const began = Date.now();
    const answers = await Promise.all(Array.from({ length: 20 }, async () => (await fetch(`${api.url}/ops/board`, { headers: { Authorization: user } })).text()));
    assert.ok(new Set(answers).size <= 2 + (Date.now() - began) / 900);
  });

  test('reads by index alone', async () => {
    database.query(`INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params,
        recovery_point, response_code, response_body, created_at, finished_at)
      SELECT gen_random_uuid(), 1, 'key-of-long-ago-' || n, 'POST', '/rides', '{}', 'finished', 201, '{}',
        now() - interval '1 hour', now() - interval '1 hour' FROM generate_series(10000, 40000) n`);
    database.query('ANALYZE idempotency_keys');
    const scans = () => database.query("SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'idempotency_keys'").split('|').map(Number);
    // PostgreSQL may report late what it counted before, when the table was small.
    const [, before] = scans();
    await eventually(() => scans()[1] > before + 20, 'the board and the completer');
    const [sequential, byIndex] = scans();
    await eventually(() => scans()[1] > byIndex + 3, 'the board');
    assert.equal(scans()[0], sequential);
  });

  test('keeps people to their own keys', async () => {
    const key = randomUUID();
    const ask = (path, method, as, more = {}) => fetch(api.url + path, { method, headers: { ...(as && { Authorization: as }), ...more } });
    for (const [method, route] of [['GET', '/lab/requests/'], ['POST', '/lab/hurry/']]) {
      assert.equal((await ask(route + key, method, user)).status, 404);
      assert.equal((await ask(route + key, method)).status, 401);
    }
    await ask('/rides', 'POST', user, { 'Idempotency-Key': key });
    assert.equal((await ask(`/lab/requests/${key}`, 'GET', declinedUser)).status, 404);
    assert.equal((await ask('/lab/rides/nothing', 'POST', user, { 'Idempotency-Key': key })).status, 404);
    assert.equal((await ask('/lab/rides/down', 'POST', null, { 'Idempotency-Key': key })).status, 401);
    assert.equal((await ask('/lab/rides/down', 'POST', user)).status, 400);
  });

  test('breaks nothing where a real provider is charged', async () => {
    const real = await startApi(database.url, { LAB: 'on', CHARGE_GATEWAY: 'stripe', STRIPE_API_KEY: 'sk_test_1' });
    try {
      assert.deepEqual(await (await fetch(`${real.url}/lab/faults`)).json(), { faults: false });
      for (const route of ['/lab/rides/down', `/lab/hurry/${randomUUID()}`]) {
        assert.equal((await fetch(real.url + route, { method: 'POST', headers: { Authorization: user } })).status, 404);
      }
    } finally {
      await real.stop();
    }
  });

  test('shows what comes from the service as text', async () => {
    const evil = '<img src=x onerror="window.broken=1">';
    const one = { id: evil, user: evil, key: evil, request: evil, point: evil, leased: true, lease_age_s: evil, attempts: evil, error: evil, status: evil, age_s: evil };
    const board = { points: { [evil]: { all: evil, leased: evil, oldest_s: evil } }, leases: evil, retried: evil, unfinished: evil, under_way: [one], oldest: [one],
      ended: [{ ...one, id: 'other' }], parked: [one], parked_count: evil, rate: 1, latency_ms: [evil, evil], jobs: evil, oldest_job_s: evil,
      workers: [{ name: evil, connections: evil, idle_s: evil }] };
    const fulfill = (body) => (route) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(body) });
    await profile.route('**/ops/board', fulfill({ payment_circuit: evil, http: { answers: { '2xx': evil }, latency_bounds_s: [evil], latency_counts: [evil, evil] }, board }));
    await profile.route('**/lab/requests/*', fulfill({ request: { point: evil, state: evil, attempts: evil, completions: evil, error: evil }, ledger: [{ charge: evil }] }));
    await profile.route('**/rides', (route) => route.fulfill({ status: 422, contentType: 'application/json', body: JSON.stringify({ code: evil, error: evil }) }));
    await press('Send a new request');
    await story(evil);
    for (const id of ['unfinished', 'parked', 'workers', 'leases', 'provider', 'points', 'point', 'attempts']) await fact(id, evil);
    assert.equal(await page.evaluate(() => window.broken), undefined);
    assert.equal(await page.locator('main img').count(), 0);
  });

  test('says so when it cannot see', async () => {
    await profile.route('**/ops/board', (route) => route.abort());
    await page.getByText('Not known now').waitFor();
    await profile.unroute('**/ops/board');
    await eventually(() => page.getByText('Live.').isVisible(), 'its eyes');
  });
});
