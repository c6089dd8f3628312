// The deposit page, on which a visitor tries out what an idempotency key is for.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { createDatabase, declinedUser, eventually, launchBrowser, reuseProfile, runInShell, startApi, user } from './support.mjs';

describe('deposit page', () => {
  let database;
  let api;
  let browser;
  let shared;
  let profile;
  let page;

  before(async () => {
    database = createDatabase();
    [api, browser] = await Promise.all([startApi(database.url), launchBrowser()]);
    shared = await reuseProfile(browser, api.url);
    profile = shared.profile;
  });
  after(async () => {
    await browser?.close();
    await api?.stop();
    database?.drop();
  });
  beforeEach(async () => {
    database.query('TRUNCATE accounts, deposits, idempotency_keys');
    page = await shared.openFresh('/deposits');
    await expectBalance('$0');
  });
  afterEach(async () => {
    assert.deepEqual(profile.faults.filter((fault) => !fault.includes('Failed to load resource')), []);
  });

  const submit = (of = page) => of.getByRole('button', { name: 'Submit', exact: true });
  const heading = (name, of = page) => of.locator('#status').getByRole('heading', { name });
  const expectBalance = (text, of = page) => of.locator('#balance', { hasText: new RegExp(`^${text.replace('$', '\\$')}$`) }).waitFor();
  const key = () => page.locator('#key').textContent();

  test('deposits once for a key, and says when it was a replay', async () => {
    assert.match(await key(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    await page.getByText('Good for one deposit').waitFor();
    await submit().click();
    await heading('Deposited $25').waitFor();
    await expectBalance('$25');
    for (let i = 0; i < 2; i++) {
      await submit().click();
      await heading('This was a replay: the balance did not change').waitFor();
      await page.locator('#status').getByText('The balance was $25 and is $25.').waitFor();
      await expectBalance('$25');
    }
    assert.equal(database.count('deposits'), 1);
    const used = await key();
    await page.getByRole('button', { name: 'New key' }).click();
    assert.notEqual(await key(), used);
    await submit().click();
    await heading('Deposited $25').waitFor();
    await expectBalance('$50');
    assert.deepEqual(profile.faults, []);
  });

  test('deposits each time without a key', async () => {
    await page.locator('#keyed').uncheck();
    assert.equal(await page.locator('#key-box').isVisible(), false);
    for (const balance of ['$25', '$50', '$75']) {
      await submit().click();
      await expectBalance(balance);
      await eventually(() => submit().isEnabled(), 'the button');
    }
    assert.equal(database.count('deposits'), 3);
  });

  test('deposits twice for a double click without a key', async () => {
    await page.locator('#keyed').uncheck();
    await submit().dblclick();
    await expectBalance('$50');
    await eventually(() => submit().isVisible(), 'the button');
    assert.equal(database.count('deposits'), 2);
    await page.locator('#status').getByText(/It brought the balance to \$(25|50)\./).waitFor();
    assert.equal(await page.locator('#user').isEnabled(), true);
  });

  test('tells when the key belongs to another deposit', async () => {
    await submit().click();
    await heading('Deposited $25').waitFor();
    const used = await key();
    await page.locator('#amount').fill('30');
    await submit().click();
    await heading('The key belongs to another deposit: the balance did not change').waitFor();
    await expectBalance('$25');
    assert.equal(await key(), used);
    assert.equal(await page.locator('#amount').inputValue(), '30');
  });

  test('shows the balance of the service, whatever was done elsewhere', async () => {
    await fetch(`${api.url}/deposits`, { method: 'POST', headers: { Authorization: user }, body: new URLSearchParams({ amount: '1000' }) });
    await submit().click();
    await expectBalance('$1,025');
    await page.locator('#user').selectOption(declinedUser);
    await expectBalance('$0');
    await page.locator('#user').selectOption(user);
    await expectBalance('$1,025');
  });

  test('knows no balance when the service says none', async () => {
    await profile.route('**/account', (route) => route.abort());
    await page.reload();
    await page.getByText('Not known now').waitFor();
    assert.equal(await page.locator('#balance').textContent(), '$–');
    // The page shows the balance again by itself.
    await profile.unroute('**/account');
    await expectBalance('$0');
    await page.getByText('Asked of the service').waitFor();
  });

  test('says that it is offline, and goes on once the network is back', async () => {
    await profile.setOffline(true);
    await submit().click();
    await heading('You are offline').waitFor();
    await profile.setOffline(false);
    await heading('Deposited $25').waitFor();
    await expectBalance('$25');
  });

  test('shows its request as a command that does the same, with the key and without', async () => {
    const command = page.locator('#curl');
    for (let i = 0; i < 2; i++) assert.match(runInShell(await command.textContent()), /^HTTP\/1.1 201/);
    assert.equal(database.count('deposits'), 1);
    await submit().click();
    await heading('This was a replay').waitFor();
    await page.locator('#keyed').uncheck();
    for (let i = 0; i < 2; i++) runInShell(await command.textContent());
    assert.equal(database.query('SELECT balance FROM accounts'), '75');
    await page.locator('#amount').fill("1'");
    assert.equal(await command.textContent(), 'Nothing yet: fill in the form first.');
  });

  test('sends only what is allowed', async () => {
    const amount = page.locator('#amount');
    for (const [text, reason] of [['', 'missing'], ['0', 'between 1 and 100,000'], ['100001', 'between 1 and 100,000'], ['-5', 'between 1'],
      ['1.5', 'whole dollars'], ['1,000', 'whole dollars'], ['1e3', 'whole dollars'], ['2 5', 'whole dollars']]) {
      await amount.fill(text);
      await submit().click();
      await heading('Not sent').waitFor();
      assert.match(await page.locator('#amount-fault').textContent(), new RegExp(reason), text);
      assert.equal(await amount.getAttribute('aria-invalid'), 'true');
    }
    assert.equal(database.count('idempotency_keys'), 0);
    // Neither the mouse wheel nor an arrow key changes the amount that was typed.
    await amount.fill(' 100000 ');
    await amount.hover();
    await page.mouse.wheel(0, 300);
    await page.keyboard.press('ArrowDown');
    assert.equal(await amount.inputValue(), ' 100000 ');
    assert.equal(await amount.getAttribute('inputmode'), 'numeric');
    await submit().click();
    await expectBalance('$100,000');
  });

  test('repeats with the key when an answer is lost, and deposits once', async () => {
    let times = 0;
    let go;
    const looked = new Promise((resolve) => { go = resolve; });
    await profile.route('**/deposits', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      if (times++ > 0) return looked.then(() => route.continue());
      await route.fetch();
      return route.abort('connectionreset');
    });
    await submit().click();
    await heading('Still trying').waitFor();
    go();
    await heading('This was a replay').waitFor();
    await expectBalance('$25');
    assert.equal(database.count('deposits'), 1);
  });

  test('leaves a parked deposit to a person', async () => {
    await profile.route('**/deposits', (route) => (route.request().method() === 'POST'
      ? route.fulfill({ status: 409, contentType: 'application/json', body: '{"code":"request_parked","error":"Waits."}' })
      : route.continue()));
    await submit().click();
    await heading('A person has to look at this').waitFor();
  });

  test('says that nobody knows when an answer is lost and there is no key', async () => {
    let times = 0;
    await profile.route('**/deposits', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      times += 1;
      await route.fetch();
      return route.abort('connectionreset');
    });
    await page.locator('#keyed').uncheck();
    await submit().click();
    await heading('Nobody knows').waitFor();
    await expectBalance('$25');
    assert.equal(times, 1);
  });

  test('goes on after a reload', async () => {
    let held = false;
    await profile.route('**/deposits', async (route) => {
      if (route.request().method() !== 'POST' || held) return route.continue();
      held = true;
      await route.fetch();
    });
    await submit().click();
    await eventually(() => database.count('deposits') === 1, 'the deposit');
    await page.reload();
    await heading('This was a replay').waitFor();
    await expectBalance('$25');
    assert.equal(database.count('deposits'), 1);
  });

  test('deposits once from two tabs, and from many clicks', async () => {
    const other = await profile.newPage();
    await other.goto('/deposits');
    await expectBalance('$0', other);
    await Promise.all([page, other].map((each) => each.evaluate(() => {
      for (let i = 0; i < 5; i++) document.querySelector('#submit').click();
    })));
    await expectBalance('$25');
    await eventually(async () => (await submit().isEnabled()) && (await submit(other).isEnabled()), 'both to end');
    assert.equal(database.count('deposits'), 1);
    assert.equal(database.query('SELECT balance FROM accounts'), '25');
  });

  test('shows what comes from the service as text', async () => {
    const evil = '<img src=x onerror="window.broken=1">';
    await profile.route('**/deposits', (route) => (route.request().method() === 'POST'
      ? route.fulfill({ status: 422, contentType: 'application/json', body: JSON.stringify({ code: evil, error: evil }) })
      : route.continue()));
    await profile.route('**/account', (route) => route.fulfill({ status: 401, contentType: 'application/json', body: JSON.stringify({ code: 'x', error: evil }) }));
    await submit().click();
    await page.locator('#status', { hasText: evil }).waitFor();
    await page.locator('#balance-note', { hasText: evil }).waitFor();
    assert.equal(await page.locator('main img').count(), 0);
    assert.equal(await page.evaluate(() => window.broken), undefined);
  });
});
