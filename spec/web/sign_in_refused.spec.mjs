// Pages whose API token is refused in the middle, or does not permit everything.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually, user } from './support.mjs';
import { answer, answerLost, befall, button, deferred, expectBooked, heading, key, page, profile, rides, sent, useRidePage } from './ride_rig.mjs';
import { asked, fault, header, idOf, kept, newToken, revoke, signedOut, signIn, stored } from './sign_in_rig.mjs';

describe('a refused token', () => {
  useRidePage({ AUTH: 'token', LAB: 'on' });

  const wasRevoked = () => fault('You are signed out: This API token was revoked.');
  const storedRide = async (token) => JSON.parse((await stored())[`rocket-rides.ride.${idOf(token)}`]);
  async function expectSignedOut() {
    await signedOut();
    assert.equal(await kept(), '');
    assert.equal(await page.locator('#submit').isDisabled(), true);
  }

  test('books nothing, and is told', async () => {
    const token = newToken();
    await signIn(token);
    const used = await key();
    revoke(token);
    await button('Request ride').click();
    await wasRevoked();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
    await page.locator('#status', { hasText: 'nothing was charged' }).waitFor();
    await page.locator('#rides-note', { hasText: 'Sign in first.' }).waitFor();
    await expectSignedOut();
    assert.equal(rides(), 0);
    const requests = asked();
    await signIn(newToken());
    assert.notEqual(await key(), used);
    await button('Request ride').click();
    await heading('Your ride is booked').waitFor();
    assert.equal(rides(), 1);
    assert.ok(requests.every((request) => !request.headers().authorization.includes(token)));
  });

  test('leaves a ride without an answer in doubt, and says so', async () => {
    const token = newToken();
    await signIn(token);
    const used = await key();
    await befall(async (route) => {
      await answerLost(route);
      revoke(token);
    });
    await button('Request ride').click();
    await wasRevoked();
    await heading('Nobody knows whether your ride is booked').waitFor();
    assert.doesNotMatch(await page.locator('main').textContent(), /nothing was charged/);
    assert.equal(await key(), used);
    await expectSignedOut();
    assert.equal(await page.locator('.spinner').count(), 0);
    assert.deepEqual([(await storedRide(token)).phase, (await storedRide(token)).user], ['sent', idOf(token)]);
    assert.equal(sent.length, 2);
    // Another token of the same user shows the ride, and does not book it again.
    await signIn(newToken());
    await page.locator('#rides', { hasText: 'paid' }).waitFor();
    assert.notEqual(await key(), used);
    assert.equal(rides(), 1);
    assert.equal(sent.length, 2);
  });

  test('ends the attempts, whichever request learns of it', async () => {
    const token = newToken();
    await signIn(token);
    await befall(answer(503, { code: 'overloaded', error: 'Not now.' }, { 'Retry-After': '600' }));
    await button('Request ride').click();
    await page.getByText(/goes again in/).waitFor();
    revoke(token);
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await wasRevoked();
    await heading('Nobody knows whether your ride is booked').waitFor();
    assert.equal(await page.locator('#countdown').textContent(), '');
    await page.evaluate(() => document.querySelector('#now').click());
    assert.equal(sent.length, 1);
    assert.equal((await storedRide(token)).attempts, 1);
  });

  test('counts for an answer that was on its way', async () => {
    const token = newToken();
    await signIn(token);
    const go = deferred();
    await befall((route) => go.promise.then(() => answer(201, { message: 'Booked.', ride: { id: 7 } })(route)));
    await button('Request ride').click();
    await eventually(() => sent.length === 1, 'the request');
    revoke(token);
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await wasRevoked();
    go.resolve();
    await heading('Your ride is booked').waitFor();
    for (const name of ['Another ride', 'Return trip', 'Cancel this ride']) assert.equal(await button(name).isVisible(), false, name);
    assert.equal((await storedRide(token)).phase, 'done');
  });

  test('leaves a cancellation in doubt', async () => {
    const token = newToken();
    await signIn(token);
    await button('Request ride').click();
    await expectBooked();
    await profile.route('**/rides/*', async (route) => {
      await answerLost(route);
      revoke(token);
      await profile.unroute('**/rides/*');
    });
    await button('Cancel this ride').click();
    await wasRevoked();
    await heading(/Nobody knows whether ride \d+ is cancelled/).waitFor();
    await expectSignedOut();
  });

  test('leaves a deposit in doubt, and no balance on the page', async () => {
    const token = newToken();
    await signIn(token);
    await page.goto('/deposits');
    await page.locator('#balance', { hasText: '$0' }).waitFor();
    await profile.route('**/deposits', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      await answerLost(route);
      revoke(token);
      return profile.unroute('**/deposits');
    });
    await button('Submit').click();
    await wasRevoked();
    await heading('Nobody knows whether this was deposited').waitFor();
    await page.locator('#balance', { hasText: '$–' }).waitFor();
    await expectSignedOut();
    await signIn(newToken());
    await page.locator('#balance', { hasText: '$25' }).waitFor();
  });

  test('sends nothing more from the laboratory', async () => {
    // The board is for operators.
    const token = newToken(user, '--scopes', 'read,write,operate');
    await signIn(token);
    await page.goto('/lab');
    await page.getByText('Live.').waitFor();
    await button('Send a new request').click();
    await page.locator('#story', { hasText: '201. Booked.' }).waitFor();
    revoke(token);
    await button('Retry by hand').click();
    await wasRevoked();
    await signedOut();
    assert.equal(await page.locator('main button:enabled').count(), 0);
    const requests = asked();
    await page.locator('#board-state', { hasText: 'Sign in to see it' }).waitFor();
    assert.deepEqual(requests, []);
  });

  test('says which scope is missing', async () => {
    await signIn(newToken(user, '--scopes', 'read'));
    await button('Request ride').click();
    await heading('No ride was booked').waitFor();
    await page.locator('#status', { hasText: 'It needs the scope write.' }).waitFor();
    await button('Sign out').click();
    await signedOut();
    const writer = newToken(user, '--scopes', 'write');
    await signIn(writer);
    await page.locator('#rides-note', { hasText: 'It needs the scope read.' }).waitFor();
    await button('Request ride').click();
    await heading('Your ride is booked').waitFor();
    await header().getByText(`Token ${idOf(writer)}`).waitFor();
    assert.equal(rides(), 1);
  });
});
