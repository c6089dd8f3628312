// For every page: its path, its security policy and its accessibility.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import axe from 'axe-core';
import { parse } from 'yaml';
import { createDatabase, eventually, launchBrowser, openProfile, root, startApi } from './support.mjs';

const pages = ['/', '/deposits', '/lab', '/ops', '/docs/idempotency', '/docs/api'];

describe('pages', () => {
  let database;
  let api;
  let browser;

  before(async () => {
    database = createDatabase();
    [api, browser] = await Promise.all([startApi(database.url, { LAB: 'on' }), launchBrowser()]);
  });
  after(async () => {
    await browser?.close();
    await api?.stop();
    database?.drop();
  });

  test('carry headers that let nothing in from elsewhere', async () => {
    for (const page of [...pages, '/openapi.yaml', '/web/style.css', '/web/submission.js', '/web/world.svg']) {
      const response = await fetch(api.url + page);
      assert.equal(response.status, 200, page);
      const policy = response.headers.get('content-security-policy');
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/, page);
      assert.doesNotMatch(policy, /unsafe|https?:|\*/, page);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.equal(response.headers.get('x-frame-options'), 'DENY');
      assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
      assert.equal(response.headers.get('cross-origin-opener-policy'), 'same-origin');
      assert.equal(response.headers.get('cache-control'), 'no-cache');
    }
  });

  test('have the right media types', async () => {
    const types = { '/': 'text/html; charset=utf-8', '/deposits': 'text/html; charset=utf-8',
      '/web/style.css': 'text/css; charset=utf-8', '/web/ride.js': 'text/javascript; charset=utf-8',
      '/web/icon.svg': 'image/svg+xml', '/openapi.yaml': 'application/yaml' };
    for (const [page, type] of Object.entries(types)) {
      assert.equal((await fetch(api.url + page)).headers.get('content-type'), type, page);
    }
  });

  test('are sent again only when they have changed', async () => {
    const first = await fetch(`${api.url}/deposits`);
    const etag = first.headers.get('etag');
    assert.match(etag, /^"[0-9a-f-]{16,}"$/);
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await fetch(`${api.url}/deposits`, { headers: { 'If-None-Match': tags } });
      assert.equal(again.status, 304, tags);
      assert.equal(again.headers.get('etag'), etag);
      assert.equal(again.headers.get('content-length'), null);
      assert.equal(await again.text(), '');
    }
    const other = await fetch(`${api.url}/deposits`, { headers: { 'If-None-Match': '"other"' } });
    assert.equal(other.status, 200);
    assert.notEqual((await fetch(`${api.url}/`)).headers.get('etag'), etag);
  });

  test('answer HEAD as GET, without the page', async () => {
    const page = await fetch(`${api.url}/`);
    const head = await fetch(`${api.url}/`, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), '');
    for (const name of ['content-length', 'content-type', 'etag', 'content-security-policy']) {
      assert.equal(head.headers.get(name), page.headers.get(name), name);
    }
  });

  test('are nowhere else', async () => {
    for (const nothing of ['/web/', '/web/nothing.js', '/web/lab.html', '/web/ride.html', '/web/..%2Fmain.cc', '/index.html', '/lab/']) {
      const response = await fetch(api.url + nothing);
      assert.equal(response.status, 404, nothing);
      assert.equal((await response.json()).code, 'not_found');
    }
    assert.equal((await fetch(`${api.url}/web/style.css`, { method: 'POST' })).status, 405);
  });

  test('are there for people where nothing is, and not for programs', async () => {
    const browsers = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    for (const nothing of ['/nothing', '/web/nothing.html', '/lab/', '/rides/1/2']) {
      const response = await fetch(api.url + nothing, { headers: { Accept: browsers } });
      assert.equal(response.status, 404, nothing);
      assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
      assert.match(response.headers.get('content-security-policy'), /^default-src 'none'/);
      assert.match(await response.text(), /<h1>There is nothing here<\/h1>/);
    }
    for (const [accept, type] of [['*/*', 'application/json'], ['text/html;q=0', 'application/json'], ['application/json, text/html', 'application/json'],
      ['application/problem+json, text/html', 'application/problem+json']]) {
      const response = await fetch(`${api.url}/nothing`, { headers: { Accept: accept } });
      assert.equal(response.status, 404);
      assert.equal(response.headers.get('content-type'), type, accept);
      assert.equal((await response.json()).code, 'not_found');
    }
    const posted = await fetch(`${api.url}/nothing`, { method: 'POST', headers: { Accept: browsers } });
    assert.equal((await posted.json()).code, 'not_found');
    assert.equal((await fetch(`${api.url}/web/not_found.html`)).status, 404);
  });

  test('load while the database is away', async () => {
    const alone = await startApi('postgresql:///nothing?host=/nonexistent');
    try {
      assert.equal((await fetch(`${alone.url}/`)).status, 200);
      assert.equal((await fetch(`${alone.url}/account`, { headers: { Authorization: 'a@example.com' } })).status, 503);
    } finally {
      await alone.stop();
    }
  });

  for (const path of [...pages, '/nothing']) {
    test(`can be used by everybody: ${path}`, async () => {
      const profile = await openProfile(browser, api.url, { reducedMotion: 'reduce' });
      try {
        const page = await profile.newPage();
        await page.goto(path, { waitUntil: 'networkidle' });
        // Not added as a script element, because the page's policy would forbid that.
        await page.evaluate(axe.source);
        // In the dark scheme only the colours differ.
        for (const [colorScheme, options] of [['light', {}], ['dark', { runOnly: ['color-contrast'] }]]) {
          await page.emulateMedia({ colorScheme });
          const { violations } = await page.evaluate((these) => globalThis.axe.run(these), options);
          assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], colorScheme);
        }
        for (const width of [320, 360, 768, 1440]) {
          await page.setViewportSize({ width, height: 800 });
          const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.equal(excess, 0, `at ${width} pixels`);
        }
        assert.deepEqual(profile.faults.filter((fault) => path !== '/nothing' || !fault.includes('404')), []);
      } finally {
        await profile.close();
      }
    });
  }

  test('describe the API to people as openapi.yaml does to programs', async () => {
    const text = await (await fetch(`${api.url}/openapi.yaml`)).text();
    const description = parse(text);
    const profile = await openProfile(browser, api.url);
    try {
      const page = await profile.newPage();
      await page.goto('/docs/api');
      await page.locator('#bookRide').waitFor();
      assert.deepEqual(await page.evaluate(async (yaml) => (await import('/web/yaml.js')).parseYaml(yaml), text), description);
      for (const methods of Object.values(description.paths)) {
        for (const { operationId, summary, responses } of Object.values(methods)) {
          const shown = await page.locator(`#${operationId}`).textContent();
          assert.ok(shown.includes(summary), operationId);
          for (const status of Object.keys(responses)) assert.ok(shown.includes(status === 'default' ? 'any other' : status), `${operationId} ${status}`);
        }
      }
      const booking = await page.locator('#bookRide').textContent();
      for (const part of ['Idempotency-Key in the header, required', 'origin_lat number -90 to 90', 'card_declined', 'stripe_charge_id']) {
        assert.ok(booking.includes(part), part);
      }
      for (const part of ['in the header Authorization: bearer rr_ID_SECRET: An API token', 'in the header Authorization: The e-mail address']) {
        await page.locator('#description', { hasText: part }).waitFor();
      }
      assert.doesNotMatch(await page.locator('#description').textContent(), /undefined/);
      assert.equal(await page.getByRole('link', { name: 'openapi.yaml', exact: true }).getAttribute('href'), '/openapi.yaml');
      for (const wrong of ['a: &b c', 'a: 1\n   b: 2', 'a: [1', 'a: {b: c} d', '- a\nb: c', 'a: b: c']) {
        assert.equal(await page.evaluate(async (yaml) => import('/web/yaml.js').then(({ parseYaml }) => parseYaml(yaml)).then(() => 'read', () => 'refused'), wrong), 'refused', wrong);
      }
      assert.deepEqual(profile.faults, []);
    } finally {
      await profile.close();
    }
  });

  test('refuse scripts, styles and markup made from text', async () => {
    const profile = await openProfile(browser, api.url);
    try {
      const page = await profile.newPage();
      await page.goto('/');
      const refused = await page.evaluate(() => {
        try {
          document.querySelector('main').innerHTML = '<img src=x onerror="window.broken = 1">';
          return 'accepted';
        } catch (error) {
          return error.name;
        }
      });
      assert.equal(refused, 'TypeError');
      const inline = await page.evaluate(() => {
        const style = document.createElement('style');
        style.textContent = 'main { display: none }';
        document.head.append(style);
        return getComputedStyle(document.querySelector('main')).display;
      });
      assert.equal(inline, 'block');
      await page.evaluate(() => { document.head.append(Object.assign(document.createElement('img'), { src: 'https://example.com/x.png' })); });
      await eventually(() => profile.faults.some((fault) => fault.includes('example.com') && fault.includes('Content Security Policy')), 'the refusal');
      assert.equal(await page.evaluate(() => window.broken), undefined);
    } finally {
      await profile.close();
    }
  });

  test('of the policy says what docs/idempotency.md says', async () => {
    const bare = (text) => text.replace(/\s/g, '');
    const source = readFileSync(path.join(root, 'docs/idempotency.md'), 'utf8')
      .replace(/^\|[-|]+\|$/gm, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/^#+ |^- |\|/gm, '').replace(/[`*]/g, '');
    const profile = await openProfile(browser, api.url);
    try {
      const page = await profile.newPage();
      await page.goto('/docs/idempotency');
      assert.equal(bare(await page.locator('main').textContent()), bare(source));
    } finally {
      await profile.close();
    }
  });

  test('say nothing of a laboratory where there is none', async () => {
    const plain = await startApi(database.url);
    try {
      for (const path of ['/lab', '/lab/faults', '/lab/requests/12345678901234567890', '/web/lab.js', '/web/lab_story.js', '/web/lab.css']) {
        assert.equal((await fetch(plain.url + path)).status, 404, path);
      }
      for (const path of ['/lab/rides/stall', '/lab/hurry/12345678901234567890']) {
        assert.equal((await fetch(plain.url + path, { method: 'POST' })).status, 404, path);
      }
      for (const path of ['/', '/deposits', '/ops', '/docs/idempotency', '/docs/api', '/nothing']) {
        const read = async (url) => (await fetch(url + path, { headers: { Accept: 'text/html' } })).text();
        assert.doesNotMatch(await read(plain.url), /laboratory/i, path);
        assert.match(await read(api.url), /href="\/lab"/, path);
      }
    } finally {
      await plain.stop();
    }
  });
});
