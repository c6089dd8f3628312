// Signing in with an API token, where the api takes nothing else (AUTH=token).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import axe from 'axe-core';
import { declinedUser, eventually, runInShell, startApi, user } from './support.mjs';
import { answerLost, api, befall, button, database, deferred, expectBooked, heading, key, openOwn, page, profile, rides, sent, useRidePage } from './ride_rig.mjs';
import { asked, box, fault, header, idOf, input, kept, newToken, offer, revoke, signedOut, signIn, stored } from './sign_in_rig.mjs';

describe('signing in', () => {
  useRidePage({ AUTH: 'token', LAB: 'on' });

  test('lets people book, by keyboard alone', async () => {
    const token = newToken();
    await page.locator('#open-sign-in').focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
    await page.keyboard.type(token);
    await page.keyboard.press('Enter');
    await header().getByText(`Token ${idOf(token)}`).waitFor();
    const requests = asked();
    await button('Request ride').press('Enter');
    await expectBooked();
    assert.equal(database.query('SELECT DISTINCT email FROM users JOIN rides ON user_id = users.id'), user);
    await page.locator('#rides', { hasText: 'paid' }).waitFor();
    await button('Cancel this ride').click();
    await heading(/Ride \d+ is cancelled/).waitFor();
    for (const request of requests) assert.equal(request.headers().authorization, `Bearer ${token}`, request.url());
    assert.deepEqual(profile.faults, []);
  });

  test('comes before anything is sent', async () => {
    const requests = asked();
    for (const path of ['/', '/deposits', '/lab', '/ops']) {
      await page.goto(path, { waitUntil: 'networkidle' });
      await signedOut();
      assert.equal(await page.locator('main form button:enabled').count(), 0, path);
      await page.evaluate(() => {
        document.querySelector('main form').dispatchEvent(new SubmitEvent('submit', { cancelable: true }));
        document.dispatchEvent(new Event('visibilitychange'));
      });
    }
    await page.goto('/');
    await page.locator('#status', { hasText: 'sign in with an API token' }).waitFor();
    await page.locator('#rides-note', { hasText: 'Sign in first.' }).waitFor();
    // Whether the laboratory breaks things is no secret.
    const others = requests.filter((request) => !request.url().endsWith('/lab/faults'));
    assert.deepEqual(others.map((request) => request.url()), []);
    assert.ok(requests.every((request) => !request.headers().authorization));
    assert.deepEqual(await stored(), {});
  });

  test('says what cannot be a token, and asks nobody', async () => {
    const token = newToken();
    const requests = asked();
    for (const [wrong, reason] of [['', 'missing'], ['  ', 'missing'], [user, 'This is no token'], [token.slice(0, -1), 'This is no token'],
      [`${token}x`, 'This is no token'], [`Bearer ${token}`, 'This is no token'], [token.replace('_', '-'), 'This is no token'], [`${token.slice(0, 20)}ß${token.slice(21)}`, 'This is no token']]) {
      await offer(wrong);
      await fault(reason);
      assert.equal(await input().getAttribute('aria-invalid'), 'true');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
    }
    assert.deepEqual(requests.map((request) => request.url()), []);
    await input().press('End');
    await input().press('Backspace');
    assert.equal(await page.locator('#token-fault').textContent(), '');
    assert.equal(await input().getAttribute('aria-invalid'), null);
    await page.keyboard.press('Escape');
    assert.equal(await box().isVisible(), false);
    await eventually(async () => await page.locator('#token').inputValue() === '', 'an empty box');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'open-sign-in');
    await signIn(`  ${token}\n`.trim());
  });

  test('is refused as the service says', async () => {
    const revoked = newToken();
    revoke(revoked);
    const mistyped = revoked.slice(0, -1) + (revoked.endsWith('a') ? 'b' : 'a');
    for (const [wrong, reason] of [[revoked, 'This API token was revoked.'], [mistyped, 'This is no API token']]) {
      await offer(wrong);
      await fault(reason);
      assert.equal(await kept(), '');
      await button('Cancel', box()).click();
    }
    await signedOut();
    await profile.route('**/account', (route) => route.abort('connectionfailed'));
    await offer(newToken());
    await fault('Not checked, so please try again: the connection failed');
    assert.equal(await kept(), '');
    await profile.unroute('**/account');
    await button('Sign in', box()).click();
    await button('Sign out').waitFor();
  });

  test('is given up when the box is closed before the answer', async () => {
    const go = deferred();
    await profile.route('**/account', (route) => go.promise.then(() => route.continue()));
    const answered = page.waitForResponse('**/account');
    await offer(newToken());
    await button('Cancel', box()).click();
    go.resolve();
    await (await answered).finished();
    await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve); }));
    await signedOut();
    assert.equal(await kept(), '');
  });

  test('needs a browser that keeps something', async () => {
    await openOwn();
    await page.evaluate(() => { Storage.prototype.setItem = () => { throw new DOMException('no', 'SecurityError'); }; });
    await offer(newToken());
    await fault('This browser keeps nothing');
  });

  test('lasts over a reload and other pages, in this tab only, until signing out', async () => {
    const token = newToken();
    await signIn(token);
    await page.reload();
    for (const path of ['/deposits', '/lab', '/']) {
      await page.goto(path);
      await header().getByText(`Token ${idOf(token)}`).waitFor();
    }
    const other = await profile.newPage();
    await other.goto('/');
    await signedOut(other);
    assert.equal(await kept(other), '');
    await other.close();
    await button('Sign out').click();
    await signedOut();
    assert.equal(await kept(), '');
    const requests = asked();
    await page.goto('/', { waitUntil: 'networkidle' });
    await signedOut();
    assert.deepEqual(requests.map((request) => request.url()), []);
  });

  test('leaves the token nowhere else', async () => {
    const token = newToken();
    const secret = token.slice(16);
    const addresses = [];
    page.on('request', (request) => addresses.push(request.url(), request.postData() ?? ''));
    await signIn(token);
    await befall(answerLost);
    await button('Request ride').click();
    await expectBooked();
    for (const path of ['/', '/deposits', '/lab']) {
      await page.goto(path);
      await button('Sign out').waitFor();
      await eventually(async () => (await page.locator('#curl').textContent()).includes('"Authorization: Bearer $TOKEN"'), `the command of ${path}`);
      const seen = await page.evaluate(() => [document.documentElement.outerHTML, JSON.stringify({ ...localStorage }), document.cookie, location.href,
        JSON.stringify(history.state), window.name, ...[...document.querySelectorAll('input')].map((each) => each.value)].join('\n'));
      assert.ok(!seen.includes(secret), path);
      assert.equal(await kept(), token);
    }
    assert.ok(!addresses.join('\n').includes(secret));
    assert.deepEqual(await profile.cookies(), []);
    assert.equal(database.count('api_tokens', `to_json(api_tokens)::text LIKE '%${secret}%'`), 0);
    assert.deepEqual(Object.keys(await stored()).filter((place) => !place.endsWith(`.${idOf(token)}`)), []);
  });

  test('shows requests as commands for a shell that knows the token', async () => {
    const token = newToken();
    await signIn(token);
    const command = await page.locator('#curl').textContent();
    assert.match(runInShell(command, { TOKEN: token }), /^HTTP\/1.1 201/);
    assert.match(runInShell(command), /^HTTP\/1.1 401/);
    assert.equal(rides(), 1);
  });

  test('keeps what one token began from all others', async () => {
    const [first, second] = [newToken(), newToken(declinedUser)];
    await signIn(first);
    await page.locator('#origin_lat').fill('12.5');
    const used = await key();
    await befall(() => {});
    await button('Request ride').click();
    await eventually(() => sent.length === 1, 'the request');
    await button('Sign out').click();
    await signedOut();
    await signIn(second);
    assert.notEqual(await key(), used);
    assert.equal(await page.locator('#origin_lat').inputValue(), '37.77');
    assert.equal(await button('Request ride').isEnabled(), true);
    await button('Request ride').click();
    await heading('No ride was booked').waitFor();
    assert.equal(sent.length, 2);
    assert.notEqual(sent[1], used);
    await button('Sign out').click();
    await signedOut();
    // Nor does a state that was put into its place.
    await page.evaluate(([of, to]) => localStorage.setItem(`rocket-rides.ride.${to}`, localStorage.getItem(`rocket-rides.ride.${of}`)), [idOf(first), idOf(second)]);
    await signIn(second);
    assert.notEqual(await key(), used);
    await button('Sign out').click();
    await signIn(first);
    await heading('Your ride is booked').waitFor();
    assert.deepEqual([sent.length, sent[2]], [3, used]);
    assert.equal(database.count('rides', 'origin_lat = 12.5'), 1);
  });

  test('shows no page again to somebody else', async () => {
    await signIn(newToken());
    await page.goto('/deposits');
    await button('Sign out').click();
    const second = newToken(declinedUser);
    await signIn(second);
    await page.goBack();
    await header().getByText(`Token ${idOf(second)}`).waitFor();
    // As when the browser brings back the page as it was.
    await page.evaluate((other) => sessionStorage.setItem('rocket-rides.token', other), newToken());
    await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await eventually(async () => !(await header().textContent()).includes(idOf(second)), 'the page of the other one');
  });

  for (const viewport of [{ width: 320, height: 640 }, { width: 1280, height: 800 }]) {
    test(`moves nothing, and can be used by everybody, ${viewport.width} pixels wide`, async () => {
      await openOwn({ viewport });
      const places = () => page.evaluate(() => ['h1', 'nav', '.user', '#form', '#sign-in form'].map((each) => document.querySelector(each).getBoundingClientRect()).map(({ x, y, width, height }) => [x, y, width, height]));
      const outside = async () => (await places()).slice(0, 4);
      const before = await outside();
      await button('Sign in', header()).click();
      const opened = await places();
      await offer('nothing');
      await fault('This is no token');
      assert.deepEqual(await places(), opened);
      await page.evaluate(axe.source);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], colorScheme);
      }
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
      await signIn(newToken());
      assert.deepEqual(await outside(), before);
    });
  }

  test('is asked for by a page of its own, which browsers tell from the other one', async () => {
    const other = await startApi(database.url, { AUTH: 'email', LAB: 'on' });
    try {
      for (const path of ['/', '/deposits']) {
        const [byToken, byEmail] = await Promise.all([api, other].map((each) => fetch(each.url + path)));
        assert.notEqual(byToken.headers.get('etag'), byEmail.headers.get('etag'));
        assert.equal(byToken.headers.get('content-security-policy'), byEmail.headers.get('content-security-policy'));
        assert.equal((await fetch(api.url + path, { headers: { 'If-None-Match': byToken.headers.get('etag') } })).status, 304);
        assert.equal((await fetch(api.url + path, { headers: { 'If-None-Match': byEmail.headers.get('etag') } })).status, 200);
        const [asksToken, asksEmail] = await Promise.all([byToken.text(), byEmail.text()]);
        assert.doesNotMatch(asksToken, /<!--user-->|user@example\.com/);
        assert.doesNotMatch(asksEmail, /<!--user-->|token/i);
        assert.match(asksEmail, /<option value="user@example\.com">/);
      }
      for (const part of ['/web/user_sign_in.html', '/web/user_chooser.html']) assert.equal((await fetch(api.url + part)).status, 404);
    } finally {
      await other.stop();
    }
  });
});
