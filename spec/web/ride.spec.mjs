// The ride page: one form makes one ride, and the page shows its state.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { declinedUser, eventually, runInShell, user } from './support.mjs';
import { answer, befall, button, database, evil, expectBooked, expectHarmless, heading, kKey, key, page, profile, rides, sent, useRidePage } from './ride_rig.mjs';

describe('ride page', () => {
  useRidePage();

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
    for (const value of ['91', '', '-90.5', '4e1', '1.2.3', '48.8584, 2.2945', '48 85', '4-', 'north', '0x1A', '1_0', '-', '.']) {
      await page.locator('#target_lat').fill(value);
      await button('Request ride').click();
      await heading(value === '' ? 'Something is missing' : 'Something is not right').waitFor();
      assert.match(await page.locator('#target_lat-fault').textContent(), value === '' ? /missing/ : /number|must be between -90 and 90/, value);
      assert.equal(await page.locator('#target_lat').getAttribute('aria-invalid'), 'true');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'target_lat');
    }
    assert.deepEqual(sent, []);
    await page.locator('#target_lat').fill('90');
    await button('Request ride').click();
    await expectBooked();
  });

  test('says what is wrong with a number', async () => {
    await page.locator('#origin_lat').fill('123');
    await button('Request ride').click();
    await heading('Something is not right').waitFor();
    for (const place of ['#status', '#origin_lat-fault']) {
      await page.locator(place).getByText('This must be between -90 and 90.').waitFor();
      assert.doesNotMatch(await page.locator(place).textContent(), /missing/);
    }
    assert.deepEqual(sent, []);
  });

  const all = () => Promise.all(['origin_lat', 'origin_lon', 'target_lat', 'target_lon'].map((id) => page.locator(`#${id}`).inputValue()));

  test('swaps start and goal', async () => {
    await button('Swap start and goal').click();
    assert.deepEqual(await all(), ['51.51', '-0.13', '37.77', '-122.42']);
    await page.reload();
    assert.deepEqual(await all(), ['51.51', '-0.13', '37.77', '-122.42']);
  });

  test('offers the way back, as a ride of its own', async () => {
    await button('Request ride').click();
    await expectBooked();
    await button('Return trip').click();
    assert.deepEqual(await all(), ['51.51', '-0.13', '37.77', '-122.42']);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'submit');
    await button('Request ride').click();
    await eventually(() => rides() === 2, 'the ride back');
    assert.notEqual(sent[0], sent[1]);
    assert.equal(database.count('rides', 'origin_lat = 51.51 AND target_lon = -122.42'), 1);
  });

  test('draws the short way, also across the date line', async () => {
    // [[x at the start, x at the end], …] of each stroke, in degrees from the left edge of the map.
    const strokes = async () => (await page.locator('#flight').getAttribute('d')).split('M').slice(1)
      .map((stroke) => stroke.split(/[ Q]/).map(Number)).map((numbers) => [numbers[0], numbers.at(-2)]);
    for (const [from, to, expected] of [
      ['10', '30', [[190, 210]]],
      ['170', '-150', [[350, 390], [-10, 30]]],
      ['-150', '170', [[30, -10], [390, 350]]],
    ]) {
      await page.locator('#origin_lon').fill(from);
      await page.locator('#target_lon').fill(to);
      assert.deepEqual(await strokes(), expected, `${from} ${to}`);
    }
  });

  test('shows its request as a command that does the same', async () => {
    await page.locator('#origin_lat').fill('12,5');
    const command = page.locator('#curl');
    assert.match(runInShell(await command.textContent()), /^HTTP\/1.1 201/);
    assert.equal(database.count('rides', 'origin_lat = 12.5'), 1);
    await button('Request ride').click();
    await heading('Your ride is booked').waitFor();
    await page.locator('#status', { hasText: 'stored answer' }).waitFor();
    assert.match(runInShell(await command.textContent()), /Idempotent-Replayed: true/);
    assert.equal(rides(), 1);
    await button('Another ride').click();
    await page.locator('#origin_lat').fill("'; touch x; '");
    assert.equal(await command.textContent(), 'Nothing yet: fill in the form first.');
  });

  test('quotes commands for a shell', async () => {
    const strange = ["it's", '$(touch x)', '`x`', '"', '\\', 'a\nb', '!x', "'''", '@x', '&=%+'];
    for (const text of strange) {
      const command = await page.evaluate(async (value) => (await import('/web/curl.js')).curl('POST', '/nothing', { user: value, fields: { value } }), text);
      const printed = runInShell(command.replace('curl', "printf '%s\\0'")).split('\0');
      assert.deepEqual(printed.slice(0, -1), ['-i', '-X', 'POST', `${new URL(page.url()).origin}/nothing`, '-H', `Authorization: ${text}`, '--data-urlencode', `value=${text}`]);
    }
  });

  const placed = () => Promise.all(['origin_lat', 'origin_lon'].map((id) => page.locator(`#${id}`).inputValue()));

  test('splits a pasted pair into latitude and longitude', async () => {
    const pasted = async (id, text) => {
      await page.locator(`#${id}`).fill('1');
      await page.locator(`#${id}`).evaluate((input, copied) => {
        const clipboardData = new DataTransfer();
        clipboardData.setData('text/plain', copied);
        const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
        if (input.dispatchEvent(event)) input.setRangeText(copied, 1, 1, 'end');
      }, text);
    };
    for (const text of ['48.8584, 2.2945', '48.8584,2.2945', '48,8584; 2,2945', '48,8584 2,2945', '(48.8584, 2.2945)\n']) {
      for (const id of ['origin_lat', 'origin_lon']) {
        await pasted(id, text);
        assert.deepEqual(await placed(), ['48.8584', '2.2945'], text);
      }
    }
    await button('Request ride').click();
    await expectBooked();
    assert.equal(database.count('rides', 'origin_lat = 48.8584 AND origin_lon = 2.2945'), 1);
  });

  test('takes a comma for the decimal mark, and no wheel for a change', async () => {
    await page.locator('#origin_lat').fill('48,85');
    await page.locator('#origin_lon').fill(' -2,5 ');
    await page.locator('#origin_lat').hover();
    await page.mouse.wheel(0, 300);
    await page.keyboard.press('ArrowUp');
    assert.deepEqual(await placed(), ['48,85', ' -2,5 ']);
    assert.equal(await page.locator('#origin_lat').getAttribute('inputmode'), 'decimal');
    await button('Request ride').click();
    await expectBooked();
    assert.equal(database.count('rides', 'origin_lat = 48.85 AND origin_lon = -2.5'), 1);
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
});
