// "My rides" on the ride page: the state of the last rides, and how to cancel a ride.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { declinedUser, eventually, user } from './support.mjs';
import { button, database, evil, expectBooked, expectHarmless, heading, kKey, page, profile, sent, useRidePage } from './ride_rig.mjs';

describe('my rides', () => {
  useRidePage();

  const list = () => page.locator('#rides li');
  const first = (text) => list().first().filter({ hasText: text }).waitFor();
  const newest = () => database.query('SELECT max(id) FROM rides');
  const refunds = (id) => database.count('refunds', `ride_id = ${id} AND stripe_refund_id IS NOT NULL`);
  // The next cancellations meet these faults, one each.
  const befallCancelling = (...faults) => profile.route('**/rides/*', async (route) => {
    const fault = route.request().method() === 'DELETE' && faults.shift();
    await (fault ? fault(route) : route.continue());
  });
  async function book() {
    await button('Request ride').click();
    await expectBooked();
    await first('paid');
    sent.length = 0;
    return newest();
  }

  test('cancels the ride that was just booked, and shows its refund', async () => {
    const id = await book();
    await button('Cancel this ride').click();
    await heading(`Ride ${id} is cancelled`).waitFor();
    assert.match(await page.locator('#cancellation').textContent(), /re_[0-9a-f]+/);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), `Ride ${id} is cancelled`);
    await first('cancelled and refunded');
    assert.match(await list().first().textContent(), /re_[0-9a-f]+/);
    await heading('Your ride is cancelled').waitFor();
    assert.equal(await button('Cancel this ride').isVisible(), false);
    assert.equal(refunds(id), 1);
    assert.equal(sent.length, 1);
    assert.match(sent[0], kKey);
    await page.reload();
    await heading('Your ride is cancelled').waitFor();
    assert.equal(await page.locator('#cancellation').textContent(), '');
  });

  test('cancels any of them, and takes a double click for one', async () => {
    const id = await book();
    await button('Another ride').click();
    await button(`Cancel ride ${id}`).dblclick();
    await heading(`Ride ${id} is cancelled`).waitFor();
    assert.equal(refunds(id), 1);
    assert.equal(sent.length, 1);
  });

  test('cancels once, though the answer is lost and the page is loaded again', async () => {
    const id = await book();
    let held;
    await befallCancelling(async (route) => {
      await route.fetch();
      await route.abort('connectionreset');
    }, (route) => { held = route; });
    await button('Cancel this ride').click();
    await heading('Still trying to cancel').waitFor();
    await eventually(() => held, 'the next attempt');
    await page.reload();
    await heading(`Ride ${id} is cancelled`).waitFor();
    await first('cancelled and refunded');
    assert.equal(refunds(id), 1);
    assert.equal(new Set(sent).size, 1);
    assert.equal(database.count('audit_records', `action = 'cancelled' AND resource_id = ${id}`), 1);
  });

  test('waits for the network to cancel one', async () => {
    const id = await book();
    await profile.setOffline(true);
    await button('Cancel this ride').click();
    await heading('You are offline').waitFor();
    assert.deepEqual(sent, []);
    await profile.setOffline(false);
    await heading(`Ride ${id} is cancelled`).waitFor();
  });

  test('says why one was not cancelled', async () => {
    const id = await book();
    await befallCancelling((route) => route.fulfill({ status: 409, contentType: 'application/json',
      body: JSON.stringify({ code: 'ride_unfinished', error: 'Not yet.' }) }));
    await button('Cancel this ride').click();
    await heading(`Ride ${id} was not cancelled`).waitFor();
    await page.locator('#cancellation', { hasText: 'Not yet.' }).waitFor();
    await button('Cancel this ride').click();
    await heading(`Ride ${id} is cancelled`).waitFor();
    assert.equal(new Set(sent).size, 2);
  });

  test('shows the newest, and the older ones when asked to', async () => {
    database.query(`INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon,
        price_cents) SELECT gen_random_uuid(), 2, 1, 2, 3, 4, 2000 FROM generate_series(1, 12)`);
    await page.locator('#user').selectOption(declinedUser);
    const ids = async () => (await list().locator('strong').allTextContents()).map((text) => Number(text.split(' ')[1]));
    const last = Number(newest());
    const shows = async (count) => {
      await eventually(async () => (await ids()).length === count, `${count} rides`);
      assert.deepEqual(await ids(), Array.from({ length: count }, (_, i) => last - i));
    };
    await shows(5);
    await first('not charged');
    await button('Older rides').click();
    await shows(10);
    await button('Older rides').click();
    await shows(12);
    assert.equal(await button('Older rides').isVisible(), false);
    assert.equal(await list().getByRole('button').count(), 0);
    await page.locator('#user').selectOption(user);
    await eventually(async () => !(await ids()).includes(last), 'the rides of somebody else');
  });

  test('come back by themselves once the service does', async () => {
    await book();
    await profile.route('**/rides?*', (route) => route.abort('connectionfailed'));
    await page.reload();
    await page.locator('#rides-note', { hasText: 'Not known now' }).waitFor();
    await profile.unroute('**/rides?*');
    await first('paid');
    assert.equal(await page.locator('#rides-note').isVisible(), false);
  });

  test('follow what is under way', async () => {
    const id = await book();
    database.query(`INSERT INTO refunds (ride_id, idempotency_key_id, stripe_charge_id) SELECT id, gen_random_uuid(), stripe_charge_id FROM rides WHERE id = ${id}`);
    await page.reload();
    await first('being cancelled');
    database.query(`UPDATE refunds SET stripe_refund_id = 're_${id}', refunded_at = now() WHERE ride_id = ${id}`);
    await first(`re_${id}`);
  });

  test('are shown as text', async () => {
    const ride = { id: evil, origin_lat: evil, origin_lon: evil, target_lat: evil, target_lon: evil, state: evil, created_at: evil, stripe_refund_id: evil };
    await profile.route('**/rides?*', (route) => route.fulfill({ status: 200, contentType: 'application/json',
      body: JSON.stringify({ rides: [ride, { ...ride, state: 'charged' }], next_cursor: evil }) }));
    await page.reload();
    await list().nth(1).filter({ hasText: evil }).waitFor();
    await expectHarmless();
  });
});
