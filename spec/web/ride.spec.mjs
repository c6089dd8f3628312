// The ride page: whatever happens, one ride and one charge for one form.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { createDatabase, declinedUser, eventually, launchBrowser, openProfile, startApi, user } from './support.mjs';

const kKey = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const evil = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>';

describe('ride page', () => {
  let database;
  let api;
  let browser;
  let profile;
  let page;
  let booked;
  // The keys of all requests that this profile sent.
  let sent;

  before(async () => {
    database = createDatabase();
    [api, browser] = await Promise.all([startApi(database.url), launchBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await api?.stop();
    database?.drop();
  });
  beforeEach(async () => {
    booked = database.count('rides');
    await open();
  });
  afterEach(async () => {
    assert.deepEqual(profile.faults.filter((fault) => !fault.includes('Failed to load resource')), []);
    await profile.close();
  });

  async function open(options = {}) {
    profile = await openProfile(browser, api.url, options);
    sent = [];
    profile.on('request', (request) => {
      if (request.method() === 'POST') sent.push(request.headers()['idempotency-key']);
    });
    page = await profile.newPage();
    await page.goto('/');
  }
  const button = (name, of = page) => of.getByRole('button', { name, exact: true });
  const heading = (name, of = page) => of.getByRole('heading', { name });
  const key = (of = page) => of.locator('#key').textContent();
  const stored = (of = page) => of.evaluate(() => JSON.parse(localStorage.getItem('rocket-rides.ride')));
  const rides = () => database.count('rides') - booked;

  // The next requests find this; then all is well. Each is a function of the route.
  async function befall(...faults) {
    await profile.route('**/rides', async (route) => {
      const fault = faults.shift();
      await (fault ? fault(route) : route.continue());
    });
  }
  const answerLost = async (route) => {
    await route.fetch();
    await route.abort('connectionreset');
  };
  const answer = (status, body, headers = {}) => (route) =>
    route.fulfill({ status, headers, contentType: 'application/json', body: JSON.stringify(body) });

  async function expectBooked(of = page) {
    await heading('Your ride is booked', of).waitFor();
    assert.equal(rides(), 1);
    assert.equal(new Set(sent).size, 1);
    assert.match(sent[0], kKey);
  }

  test('books a ride and shows it', async () => {
    const made = await key();
    assert.match(made, kKey);
    await button('Request ride').click();
    await expectBooked();
    assert.deepEqual(sent, [made]);
    assert.match(await page.locator('#status').textContent(), /Payment accepted.*37\.77, -122\.42.*ch_/s);
    assert.equal(await page.locator('#form').getAttribute('aria-busy'), 'false');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Your ride is booked');
    assert.deepEqual(profile.faults, []);
    await button('Another ride').click();
    assert.notEqual(await key(), made);
    assert.equal(await button('Request ride').isEnabled(), true);
  });

  test('shows that it works, and takes nothing meanwhile', async () => {
    let go;
    await befall((route) => new Promise((resolve) => { go = resolve; }).then(() => route.continue()));
    await button('Request ride').click();
    await page.locator('#submit .spinner').waitFor();
    assert.equal(await page.locator('#submit').isDisabled(), true);
    assert.equal(await page.locator('#origin_lat').isDisabled(), true);
    assert.equal(await page.locator('#form').getAttribute('aria-busy'), 'true');
    await eventually(() => go, 'the request');
    go();
    await expectBooked();
    assert.equal(await page.locator('.spinner').count(), 0);
  });

  test('takes a double click for one', async () => {
    await button('Request ride').dblclick();
    await expectBooked();
    assert.equal(sent.length, 1);
  });

  test('takes a storm of Enter for one', async () => {
    await page.locator('#origin_lat').focus();
    for (let i = 0; i < 30; i++) await page.keyboard.press('Enter');
    await expectBooked();
    for (let i = 0; i < 10; i++) await page.keyboard.press('Enter');
    await page.evaluate(() => {
      for (let i = 0; i < 20; i++) document.querySelector('#form').dispatchEvent(new SubmitEvent('submit', { cancelable: true }));
    });
    assert.equal(sent.length, 1);
    assert.equal(rides(), 1);
  });

  test('works by keyboard alone', async () => {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'To the content');
    await page.keyboard.press('Enter');
    for (const value of ['10.5', '20.25', '-30', '40']) {
      await page.keyboard.press('Tab');
      await page.keyboard.press('Control+A');
      await page.keyboard.type(value);
    }
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'submit');
    await page.keyboard.press('Enter');
    await expectBooked();
    assert.match(await page.locator('#status').textContent(), /10\.5, 20\.25.*-30, 40/s);
  });

  test('takes places from the map', async () => {
    const box = await page.locator('#map').boundingBox();
    const click = (lat, lon) =>
      page.mouse.click(box.x + ((lon + 180) / 360) * box.width, box.y + ((90 - lat) / 180) * box.height);
    await click(45, -90);
    await click(-30, 60);
    const values = await Promise.all(['origin_lat', 'origin_lon', 'target_lat', 'target_lon'].map((id) => page.locator(`#${id}`).inputValue()));
    [45, -90, -30, 60].forEach((wanted, i) => assert.ok(Math.abs(values[i] - wanted) < 1, `${values}`));
  });

  test('sends nothing that cannot be right', async () => {
    for (const value of ['91', '', '-90.5']) {
      await page.locator('#target_lat').fill(value);
      await button('Request ride').click();
      await heading('Something is missing').waitFor();
      assert.equal(await page.locator('#target_lat').getAttribute('aria-invalid'), 'true');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'target_lat');
    }
    assert.deepEqual(sent, []);
    await page.locator('#target_lat').fill('90');
    await button('Request ride').click();
    await expectBooked();
  });

  test('ends with a definite failure, and takes a new key', async () => {
    const first = await key();
    await page.locator('#user').selectOption(declinedUser);
    await button('Request ride').click();
    await heading('No ride was booked').waitFor();
    assert.match(await page.locator('#status').textContent(), /declined/);
    assert.notEqual(await key(), first);
    assert.equal(await button('Request ride').isEnabled(), true);
    await page.locator('#user').selectOption(user);
    await button('Request ride').click();
    await heading('Your ride is booked').waitFor();
    assert.equal(sent.length, 2);
    assert.notEqual(sent[0], sent[1]);
  });

  test('takes a rejected payment for final, though it is a 503', async () => {
    await befall(answer(503, { code: 'payment_rejected', error: 'Refused.' }));
    await button('Request ride').click();
    await heading('No ride was booked').waitFor();
    assert.equal(sent.length, 1);
  });

  const indefinite = {
    'the network is gone': (route) => route.abort('connectionfailed'),
    'the answer is lost': answerLost,
    'the key is in progress': answer(409, { code: 'request_in_progress', error: 'In progress.' }),
    'the service fails': answer(500, { code: 'internal', error: 'Unforeseen.' }),
    'the provider is away': answer(503, { code: 'payment_unavailable', error: 'No answer.' }),
    'a proxy answers': (route) => route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad gateway</h1>' }),
    'somebody else answers in JSON': (route) => route.fulfill({ status: 404, contentType: 'application/json', body: '{"message":"no route"}' }),
    'a portal answers': (route) => route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Log in</h1>' }),
  };
  for (const [what, fault] of Object.entries(indefinite)) {
    test(`repeats with the same key when ${what}`, async () => {
      const go = deferred();
      await befall(fault, (route) => go.promise.then(() => route.continue()));
      await button('Request ride').click();
      await heading('Still trying').waitFor();
      await page.locator('#log li', { hasText: 'No answer that counts' }).waitFor();
      assert.equal(await page.locator('#submit').isDisabled(), true);
      go.resolve();
      await expectBooked();
      assert.equal(sent.length, 2);
      await page.locator('#log li', { hasText: 'Sent again, attempt 2' }).waitFor();
    });
  }

  test('waits as long as it is told to', async () => {
    await befall(answer(503, { code: 'overloaded', error: 'Not now.' }, { 'Retry-After': '30' }));
    await button('Request ride').click();
    await page.getByText(/goes again in (30|2\d) s/).waitFor();
    assert.equal(sent.length, 1);
    await button('Try now').click();
    await expectBooked();
  });

  test('does not wait as long as nobody can', async () => {
    // More milliseconds than a timer can count.
    await befall(answer(503, { code: 'overloaded', error: 'Not now.' }, { 'Retry-After': '2147484' }));
    await button('Request ride').click();
    await page.getByText(/goes again in (3600|35\d\d) s/).waitFor();
    assert.equal(sent.length, 1);
  });

  test('goes on by itself once the network is back', async () => {
    await befall(answer(503, { code: 'overloaded', error: 'Not now.' }, { 'Retry-After': '60' }));
    await button('Request ride').click();
    await page.getByText(/goes again in (60|[345]\d) s/).waitFor();
    await profile.setOffline(true);
    await profile.setOffline(false);
    await expectBooked();
  });

  test('asks for a rehearsed failure once', async () => {
    await page.getByText('Try a failure').click();
    await page.locator('#raise_error').check();
    await button('Request ride').click();
    await expectBooked();
    assert.equal(sent.length, 2);
  });

  test('goes on after a reload, with the same key', async () => {
    const got = deferred();
    await befall(async (route) => {
      await route.fetch();
      got.resolve();
      // And never answers.
    });
    const made = await key();
    await page.locator('#origin_lat').fill('12.5');
    await button('Request ride').click();
    await got.promise;
    await page.reload();
    await expectBooked();
    assert.deepEqual(sent, [made, made]);
    assert.match(await page.locator('#status').textContent(), /stored answer.*12\.5/s);
  });

  test('goes on after a crash of the browser, before the server got anything', async () => {
    await befall(() => {});
    const made = await key();
    await button('Request ride').click();
    await eventually(() => sent.length === 1, 'the request');
    const remembered = await profile.storageState();
    await profile.close();
    await open({ storageState: remembered });
    await expectBooked();
    assert.deepEqual(sent, [made]);
  });

  test('remembers what was typed', async () => {
    const made = await key();
    await page.locator('#target_lon').fill('77.125');
    await page.reload();
    assert.equal(await page.locator('#target_lon').inputValue(), '77.125');
    assert.equal(await key(), made);
  });

  test('in two tabs books one ride', async () => {
    const other = await profile.newPage();
    await other.goto('/');
    assert.equal(await key(other), await key());
    await Promise.all([page, other].map((each) => each.evaluate(() => document.querySelector('#submit').click())));
    // How many send it is not said: what one tab has stored may reach the other later than the lock.
    await Promise.all([expectBooked(), heading('Your ride is booked', other).waitFor()]);
    // The other tab cannot book it again either.
    assert.equal(await other.locator('#submit').isDisabled(), true);
  });

  test('in two tabs without locks still books one ride', async () => {
    await profile.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }));
    const other = await profile.newPage();
    await Promise.all([page.reload(), other.goto('/')]);
    await eventually(async () => (await key(other)) === (await key()), 'one key');
    await Promise.all([page, other].map((each) => each.evaluate(() => document.querySelector('#submit').click())));
    await Promise.all([heading('Your ride is booked').waitFor(), heading('Your ride is booked', other).waitFor()]);
    assert.equal(rides(), 1);
    assert.equal(new Set(sent).size, 1);
  });

  test('goes on in another tab when the one that sends is closed', async () => {
    await befall(() => {});
    const other = await profile.newPage();
    await other.goto('/');
    await button('Request ride').click();
    await heading('On its way', other).waitFor();
    assert.equal(await other.locator('#submit').isDisabled(), true);
    assert.equal(sent.length, 1);
    await page.close();
    await expectBooked(other);
    assert.equal(sent.length, 2);
  });

  test('does not send again what the service may have forgotten', async () => {
    await page.evaluate(() => {
      const state = JSON.parse(localStorage.getItem('rocket-rides.ride'));
      localStorage.setItem('rocket-rides.ride', JSON.stringify({
        ...state, phase: 'sent', user: 'user@example.com', attempts: 3, since: Date.now() - 25 * 3600_000 }));
    });
    await page.reload();
    await heading('This request was never answered').waitFor();
    assert.deepEqual(sent, []);
    await button('Another ride').click();
    await button('Request ride').click();
    await expectBooked();
  });

  test('leaves a parked request to a person', async () => {
    await befall(answer(409, { code: 'request_parked', error: 'Waits for a person.' }));
    const made = await key();
    await button('Request ride').click();
    await heading('A person has to look at this').waitFor();
    assert.equal(await page.locator('#submit').isDisabled(), true);
    assert.equal(await key(), made);
    await button('Ask again').click();
    await expectBooked();
  });

  test('starts afresh from what makes no sense', async () => {
    for (const nonsense of ['', '{', 'null', '[]', '{"phase":"done"}', '{"phase":"sent","key":"x","fields":{}}']) {
      await page.evaluate((text) => localStorage.setItem('rocket-rides.ride', text), nonsense);
      await page.reload();
      assert.equal(await button('Request ride').isEnabled(), true, nonsense);
      assert.match(await key(), kKey);
    }
    assert.deepEqual(sent, []);
  });

  test('works where nothing can be stored', async () => {
    await profile.addInitScript(() => {
      for (const name of ['getItem', 'setItem']) Storage.prototype[name] = () => { throw new DOMException('no', 'SecurityError'); };
    });
    await befall(answerLost);
    await page.reload();
    await button('Request ride').click();
    await expectBooked();
  });

  test('works where storage and locks are refused', async () => {
    await profile.addInitScript(() => {
      const refused = { get() { throw new DOMException('no', 'SecurityError'); } };
      Object.defineProperty(window, 'localStorage', refused);
      LockManager.prototype.request = () => Promise.reject(new DOMException('no', 'SecurityError'));
    });
    await befall(answerLost);
    await page.reload();
    await button('Request ride').click();
    await expectBooked();
  });

  test('works when there is no room to store more', async () => {
    await page.evaluate(() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; });
    await button('Request ride').click();
    await expectBooked();
    await button('Another ride').click();
    await button('Request ride').click();
    await eventually(() => rides() === 2, 'another ride');
    await heading('Your ride is booked').waitFor();
    assert.equal(new Set(sent).size, 2);
  });

  test('does not promise anything of the ride that had the key before', async () => {
    await befall(answer(409, { code: 'idempotency_key_reused', error: 'Another request.' }));
    await button('Request ride').click();
    await page.locator('#status', { hasText: 'may have been booked' }).waitFor();
    assert.doesNotMatch(await page.locator('#status').textContent(), /nothing was charged/);
  });

  test('shows what comes from the service as text', async () => {
    const ride = { id: evil, origin_lat: evil, origin_lon: evil, target_lat: evil, target_lon: evil, stripe_charge_id: evil, created_at: evil };
    await befall(answer(503, { code: 'internal', error: evil }), answer(422, { code: evil, error: evil }),
      answer(409, { code: 'request_parked', error: evil }), answer(201, { message: evil, ride }));
    await button('Request ride').click();
    await page.locator('#log', { hasText: evil }).waitFor();
    await heading('No ride was booked').waitFor();
    await page.locator('#status', { hasText: evil }).waitFor();
    await button('Request ride').click();
    await heading('A person has to look at this').waitFor();
    await button('Ask again').click();
    await heading('Your ride is booked').waitFor();
    await page.locator('#status dd', { hasText: evil }).first().waitFor();
    await expectHarmless();
  });

  test('shows what was stored as text', async () => {
    const made = '00000000-0000-4000-8000-000000000000';
    const fields = { origin_lat: evil, origin_lon: evil, target_lat: evil, target_lon: evil };
    for (const state of [
      { phase: 'draft', key: made, fields, failure: { status: 402, body: { error: evil, code: evil } } },
      { phase: 'done', key: made, user: evil, fields, answer: { status: 201, body: { message: evil, ride: { id: evil } } } },
      { phase: 'parked', key: made, user: evil, fields, answer: { silence: evil } },
    ]) {
      await page.evaluate((text) => {
        localStorage.setItem('rocket-rides.ride', text);
        localStorage.setItem('rocket-rides.user', '<b>somebody');
      }, JSON.stringify(state));
      await page.reload();
      await page.locator('#status', { hasText: evil }).waitFor();
      await expectHarmless();
    }
  });

  async function expectHarmless() {
    assert.equal(await page.evaluate(() => window.broken), undefined);
    assert.equal(await page.locator('main img, main script').count(), 0);
  }

  function deferred() {
    let resolve;
    const promise = new Promise((done) => { resolve = done; });
    return { promise, resolve };
  }
});
