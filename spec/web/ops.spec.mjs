// The page of operators: where nothing of the laboratory is, with a token, by keyboard alone, and on a phone.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import axe from 'axe-core';
import { createDatabase, createToken, eventually, launchBrowser, reuseProfile, startApi, user } from './support.mjs';

describe("operators' page", () => {
  let database;
  let api;
  let browser;
  let shared;
  let profile;
  let page;
  let token;

  before(async () => {
    database = createDatabase();
    token = createToken(database.url, user, '--scopes', 'operate');
    [api, browser] = await Promise.all([startApi(database.url, { AUTH: 'token' }), launchBrowser()]);
    shared = await reuseProfile(browser, api.url);
    profile = shared.profile;
  });
  after(async () => {
    await browser?.close();
    await api?.stop();
    database?.drop();
  });
  beforeEach(async () => {
    database.query('DELETE FROM rides; DELETE FROM idempotency_keys; DELETE FROM key_attempts');
    page = await shared.openFresh('/ops');
    await signIn(token);
  });
  afterEach(async () => {
    assert.deepEqual(profile.faults.filter((fault) => !fault.includes('Failed to load resource')), []);
  });

  async function signIn(as) {
    await page.locator('#open-sign-in').click();
    await page.locator('#token').fill(as);
    await page.keyboard.press('Enter');
    await page.locator('#who', { hasText: 'Token' }).waitFor();
  }
  const button = (name) => page.getByRole('button', { name, exact: true });
  const story = (text) => page.locator('#story', { hasText: text }).waitFor();
  const row = (key) => page.locator('#parked tr', { hasText: key.slice(0, 8) });

  // A ride that waits for a person. Returns its key and the key's id.
  function park(error = 'too old to repeat') {
    const [key, id] = [randomUUID(), randomUUID()];
    database.query(`INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params,
        recovery_point, parked_at, last_error, created_at, last_run_at, attempts)
      VALUES ('${id}', 1, '${key}', 'POST', '/rides', '{"origin_lat": 1.5}', 'ride_created', now(), '${error}',
        now() - interval '30 hours', now() - interval '30 hours', 3)`);
    database.query(`INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, price_cents)
      VALUES ('${id}', 1, 1.5, 1, 1, 1, 2000)`);
    database.query(`INSERT INTO key_attempts (key_id, attempt, process, host, from_point, to_point, outcome, error)
      VALUES ('${id}', 3, 'completer', 'one.example', 'ride_created', 'ride_created', 'parked', '${error}')`);
    return { key, id };
  }
  const audited = (id) => database.count('audit_records', `data->>'key_id' = '${id}'`);

  test('needs a token with the scope operate', async () => {
    const customer = createToken(database.url, user);
    await page.locator('#sign-out').click();
    await page.locator('#board-state', { hasText: 'Sign in to see it, with a token that has the scope operate.' }).waitFor();
    assert.equal(await button('Find').isDisabled(), true);
    await signIn(customer);
    await page.locator('#board-state', { hasText: 'It needs the scope operate.' }).waitFor();
    await page.locator('#text').fill('1');
    await button('Find').click();
    await page.locator('#found-note', { hasText: 'It needs the scope operate.' }).waitFor();
  });

  test('shows live what waits, and for what', async () => {
    await page.locator('#parked', { hasText: 'None.' }).waitFor();
    await page.locator('#unfinished', { hasText: 'None: everything is finished.' }).waitFor();
    const { key } = park('the provider lists <b>nothing</b>');
    await row(key).locator('td', { hasText: 'the provider lists <b>nothing</b>' }).waitFor();
    const waiting = randomUUID();
    database.query(`INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params, created_at)
      VALUES (gen_random_uuid(), 1, '${waiting}', 'POST', '/deposits', '{"amount": 1}', now() - interval '3 hours')`);
    await page.locator('#unfinished tr', { hasText: waiting.slice(0, 8) }).locator('td', { hasText: '3 h' }).waitFor();
    await page.locator('#points', { hasText: 'started1, of which 0 leased; the oldest is 3 h old' }).waitFor();
    await page.locator('#workers', { hasText: 'api: 2 connections' }).waitFor();
    await page.locator('#provider', { hasText: 'answers' }).waitFor();
    assert.match(await page.locator('#rate-words').textContent(), /In the last \d+ looks: from 0.0 to 0.0, at last 0.0\./);
    assert.doesNotMatch(await page.locator('main').textContent(), new RegExp(`${key}|example\\.com`));
  });

  test('plots what this api answers, and says it in words', async () => {
    const customer = `Bearer ${createToken(database.url, user)}`;
    const answered = () => page.locator('#answers').textContent();
    await eventually(async () => {
      await fetch(`${api.url}/account`, { headers: { Authorization: customer } });
      return /^[1-9]/.test(await answered());
    }, 'answers');
    await eventually(async () => {
      await fetch(`${api.url}/rides/0`, { headers: { Authorization: customer } });
      return /, [1-9][0-9.]*, /.test(await answered());
    }, 'refusals');
    assert.match(await page.locator('#duration').textContent(), /^[0-9.]+ ms, [0-9.]+ ms, [0-9.]+ ms$/);
    assert.match(await page.locator('#answers-words').textContent(), /at last 0\.0 failures\./);
    assert.match(await page.locator('#ok-plot').getAttribute('points'), /^[0-9., ]+$/);
  });

  test('finds a request by its key, its id, its ride and its user, and tells its story', async () => {
    const { key, id } = park();
    const ride = database.query('SELECT id FROM rides');
    for (const text of [key, id, ride]) {
      await page.locator('#text').fill(text);
      await page.keyboard.press('Enter');
      await page.locator('#found-note', { hasText: '1 request.' }).waitFor();
      await story('POST /rides, parked');
      assert.equal(await page.evaluate(() => document.activeElement.closest('#story') !== null), true);
    }
    const told = await page.locator('#story ol li').allTextContents();
    assert.equal(told.length, 3);
    assert.match(told[0], /Asked .*POST \/rides/);
    assert.match(told[1], /Ride created/);
    assert.match(told[2], /Parked for a person \(at ride_created, attempt 3, completer on one\.example\): too old to repeat/);
    await story('None is recorded. The provider may have one of this ride');
    await page.locator('#text').fill(user);
    await button('Find').click();
    await page.locator('#found li', { hasText: `ride ${ride}` }).waitFor();
    await page.locator('#text').fill('a-request-id-of-somebody');
    await button('Find').click();
    await page.locator('#found-note', { hasText: 'search the log for request_id' }).waitFor();
    // The address names the request, for a colleague.
    await page.goto(`/ops#${id}`);
    await page.reload();
    await story('POST /rides, parked');
  });

  test('closes a parked request by keyboard alone', async () => {
    const { key, id } = park();
    await row(key).waitFor();
    await page.getByRole('button', { name: `Close request ${key.slice(0, 8)}…` }).focus();
    await page.keyboard.press('Enter');
    await page.locator('#order[open]').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'note');
    await page.locator('#order-about', { hasText: 'None is recorded' }).waitFor();
    // Without a note nothing is sent.
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#note-fault', { hasText: 'Say why.' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'note');
    await page.keyboard.type('paid by phone');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'order-submit');
    await page.keyboard.press('Enter');
    await page.locator('#done', { hasText: 'The request is closed.' }).waitFor();
    assert.match(await page.evaluate(() => document.activeElement.textContent), /^The request is closed\./);
    await page.locator('#parked', { hasText: 'None.' }).waitFor();
    assert.equal(database.query(`SELECT response_code FROM idempotency_keys WHERE id = '${id}'`), '410');
    assert.equal(database.query(`SELECT data->>'note' FROM audit_records WHERE data->>'key_id' = '${id}'`), 'paid by phone');
  });

  test('can leave the box by keyboard, and does nothing then', async () => {
    const { key, id } = park();
    const close = page.getByRole('button', { name: `Close request ${key.slice(0, 8)}…` });
    await close.focus();
    await page.keyboard.press('Enter');
    await page.locator('#order[open]').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#order').waitFor({ state: 'hidden' });
    // The rows stay the same while the page looks again and again, so the focus does too.
    const looks = () => page.locator('#rate-words').textContent();
    const before = await looks();
    await eventually(async () => await looks() !== before, 'another look');
    assert.equal(await close.evaluate((element) => element === document.activeElement), true);
    assert.equal(audited(id), 0);
  });

  test('resumes once when two people press, and tells the second one so', async () => {
    const { key, id } = park();
    const other = await profile.newPage();
    await other.goto('/ops');
    await other.locator('#open-sign-in').click();
    await other.locator('#token').fill(token);
    await other.keyboard.press('Enter');
    for (const each of [page, other]) {
      await each.getByRole('button', { name: `Resume request ${key.slice(0, 8)}…` }).click();
      await each.locator('#order[open]').waitFor();
    }
    await page.locator('#order-submit').click();
    await page.locator('#done', { hasText: 'The request is resumed.' }).waitFor();
    await other.locator('#order-submit').click();
    await other.locator('#done', { hasText: 'was resumed before. Nothing has changed.' }).waitFor();
    assert.equal(audited(id), 1);
    assert.equal(database.query(`SELECT parked_at IS NULL FROM idempotency_keys WHERE id = '${id}'`), 't');
  });

  test('asks to press again when the answer is lost, and that is safe', async () => {
    const { key, id } = park();
    await page.getByRole('button', { name: `Close request ${key.slice(0, 8)}…` }).click();
    await page.locator('#note').fill('why');
    await profile.route('**/close', async (route) => {
      await route.fetch();
      await route.abort();
    }, { times: 1 });
    await page.locator('#order-submit').click();
    await page.locator('#note-fault', { hasText: 'It is safe to press again.' }).waitFor();
    await page.locator('#order-submit').click();
    await page.locator('#done', { hasText: 'was closed before. Nothing has changed.' }).waitFor();
    assert.equal(audited(id), 1);
  });

  test('is readable for everybody with a box and a story open, and at 360 pixels', async () => {
    const { key, id } = park();
    await page.locator('#text').fill(id);
    await button('Find').click();
    await story('POST /rides, parked');
    const look = async () => {
      await page.evaluate(axe.source);
      for (const [colorScheme, options] of [['light', {}], ['dark', { runOnly: ['color-contrast'] }]]) {
        await page.emulateMedia({ colorScheme });
        const { violations } = await page.evaluate((these) => globalThis.axe.run(these), options);
        assert.deepEqual(violations.map(({ id: rule, nodes }) => [rule, nodes.map(({ html }) => html)]), [], colorScheme);
      }
      for (const width of [320, 360, 768, 1440]) {
        await page.setViewportSize({ width, height: 800 });
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(excess, 0, `at ${width} pixels`);
      }
    };
    await row(key).waitFor();
    await look();
    await page.setViewportSize({ width: 360, height: 740 });
    // Nobody has to push a table aside to reach its buttons.
    for (const each of await page.locator('#parked button').all()) {
      const { x, width } = await each.boundingBox();
      assert.ok(x >= 0 && x + width <= 360);
    }
    assert.equal(await page.getByRole('cell', { name: 'too old to repeat' }).count(), 1);
    // Fingers need buttons of some size.
    const heights = await page.locator('main button:visible').evaluateAll((all) => all.map((each) => [each.textContent, each.offsetHeight]));
    assert.deepEqual(heights.filter(([, height]) => height < 44), []);
    await row(key).getByRole('button', { name: 'Close' }).click();
    await page.locator('#order-about', { hasText: 'None is recorded' }).waitFor();
    await look();
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok((await page.locator('#order').boundingBox()).width <= 360);
  });

  test('says so when it cannot see', async () => {
    await profile.route('**/ops/board', (route) => route.abort());
    await page.locator('#board-state', { hasText: 'Not known now' }).waitFor();
    await profile.unroute('**/ops/board');
    await page.locator('#board-state', { hasText: 'Live.' }).waitFor();
  });
});
