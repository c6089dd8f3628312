// Makes the pictures of the README again: SPEC_DATABASE_URL=… node spec/web/screenshots.mjs
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, launchBrowser, openProfile, root, startApi, startProgram } from './support.mjs';

const kQuality = 0.6;

const folder = mkdtempSync(path.join(tmpdir(), 'screenshots-'));
const database = createDatabase();
const environment = { DATABASE_URL: database.url, MOCK_LEDGER: path.join(folder, 'ledger') };
const api = await startApi(database.url, { LAB: 'on', MOCK_LATENCY_MS: '60', ...environment });
const others = ['completer', 'enqueuer', 'reaper'].map((name) => startProgram(name, environment));
others.push(startProgram('simulator', { API_URL: api.url }, ['--rate=15', '--concurrency=8', '--seed=7']));
const browser = await launchBrowser();

// Chromium takes no screenshot as WebP, but a page can convert a picture to WebP.
async function save(name, png) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const webp = await page.evaluate(async ([data, quality]) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext('2d').drawImage(image, 0, 0);
    const blob = await canvas.convertToBlob({ type: 'image/webp', quality });
    return Array.from(new Uint8Array(await blob.arrayBuffer()));
  }, [png.toString('base64'), kQuality]);
  mkdirSync(path.join(root, 'docs/pages'), { recursive: true });
  writeFileSync(path.join(root, 'docs/pages', `${name}.webp`), Buffer.from(webp));
  await context.close();
}

try {
  const profile = await openProfile(browser, api.url, { viewport: { width: 1120, height: 840 }, colorScheme: 'light' });
  const page = await profile.newPage();
  const press = (name) => page.getByRole('button', { name, exact: true }).click();

  await page.goto('/');
  await press('Request ride');
  await page.getByRole('heading', { name: 'Your ride is booked' }).waitFor();
  await save('ride', await page.screenshot());

  await page.goto('/deposits');
  await press('Submit');
  await page.getByRole('heading', { name: 'Deposited' }).waitFor();
  await press('Submit');
  await page.getByRole('heading', { name: 'This was a replay' }).waitFor();
  await save('deposits', await page.screenshot({ clip: { x: 0, y: 0, width: 1120, height: 660 } }));

  await page.goto('/lab');
  await page.getByText('Live.').waitFor();
  await page.getByLabel('its answer get lost').check();
  await press('Send a new request');
  await page.locator('#story li', { hasText: '503' }).waitFor();
  await sleep(15_000);
  await press('Retry by hand');
  await page.locator('#story li', { hasText: '201' }).waitFor();
  await sleep(1300);
  await save('lab', await page.screenshot({ clip: { x: 0, y: 0, width: 1120, height: 1460 }, fullPage: true }));

  await page.goto('/ops');
  await page.getByText('Live.').waitFor();
  await page.locator('#text').fill(database.query("SELECT key_id FROM key_attempts WHERE outcome = 'finished' LIMIT 1"));
  await press('Find');
  await page.locator('#story li').first().waitFor();
  await sleep(20_000);
  await save('ops', await page.screenshot({ clip: { x: 0, y: 0, width: 1120, height: 1800 }, fullPage: true }));
} finally {
  await browser.close();
  await Promise.all([...others, api].map((program) => program.stop()));
  database.drop();
  rmSync(folder, { recursive: true });
}
