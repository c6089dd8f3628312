// The ride page: one form makes one ride and one charge, whatever happens.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually, user } from './support.mjs';
import { answer, answerLost, befall, button, deferred, expectBooked, heading, kKey, key, openOwn, page, profile, rides, sent, useRidePage } from './ride_rig.mjs';

describe('ride page that has to try again', () => {
  useRidePage();

  const stored = () => page.evaluate(() => JSON.parse(localStorage.getItem('rocket-rides.ride')));

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
  test('repeats with the same key until there is an answer', async () => {
    const go = deferred();
    await befall(...Object.values(indefinite), (route) => go.promise.then(() => route.continue()));
    await button('Request ride').click();
    const unanswered = page.locator('#log li', { hasText: 'No answer that counts' });
    for (const [i, what] of Object.keys(indefinite).entries()) {
      await eventually(async () => (await unanswered.count()) > i, `another attempt when ${what}`);
      assert.equal(await page.locator('#submit').isDisabled(), true, what);
      // Sends the request now, because the pauses are long by now. If the request is already on its way, this changes
      // nothing.
      await page.evaluate(() => document.querySelector('#now').click());
    }
    await heading('Still trying').waitFor();
    go.resolve();
    await expectBooked();
    assert.equal(sent.length, Object.keys(indefinite).length + 1);
    await page.locator('#log li', { hasText: `Sent again, attempt ${sent.length}` }).waitFor();
  });

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

  test('says that it is offline, tries nothing then, and goes on once the network is back', async () => {
    await profile.setOffline(true);
    await button('Request ride').click();
    await heading('You are offline').waitFor();
    assert.equal((await stored()).attempts, 0);
    assert.equal(await page.locator('#log li').count(), 0);
    assert.equal(await page.locator('#submit').isDisabled(), true);
    await profile.setOffline(false);
    await expectBooked();
    assert.equal(sent.length, 1);
  });

  test('says that it is offline when the network goes while it waits', async () => {
    await befall(answer(503, { code: 'overloaded', error: 'Not now.' }, { 'Retry-After': '60' }));
    await button('Request ride').click();
    await page.getByText(/goes again in/).waitFor();
    await profile.setOffline(true);
    await heading('You are offline').waitFor();
    assert.equal(await page.locator('#countdown').textContent(), '');
    assert.equal((await stored()).attempts, 1);
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
      // This fault never answers.
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
    await openOwn();
    await befall(() => {});
    const made = await key();
    await button('Request ride').click();
    await eventually(() => sent.length === 1, 'the request');
    const remembered = await profile.storageState();
    await openOwn({ storageState: remembered });
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
    // Either tab or both may send the request, because what one tab stores may reach the other later than the lock.
    await Promise.all([expectBooked(), heading('Your ride is booked', other).waitFor()]);
    // The other tab cannot book it again either.
    assert.equal(await other.locator('#submit').isDisabled(), true);
  });

  test('in two tabs without locks still books one ride', async () => {
    await openOwn();
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
    // Each tab has made at least one attempt. A tab may send the same request once more, because what another tab
    // stores reaches it some time later. expectBooked has checked that there is one key and one ride.
    assert.ok(sent.length >= 2, `${sent}`);
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
    await openOwn();
    await profile.addInitScript(() => {
      for (const name of ['getItem', 'setItem']) Storage.prototype[name] = () => { throw new DOMException('no', 'SecurityError'); };
    });
    await befall(answerLost);
    await page.reload();
    await button('Request ride').click();
    await expectBooked();
  });

  test('works where storage and locks are refused', async () => {
    await openOwn();
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
});
