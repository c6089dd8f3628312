// The common part of the specs of the ride page: an open, fresh page for each test, and faults for its requests.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach } from 'node:test';
import { createDatabase, launchBrowser, openProfile, reuseProfile, startApi } from './support.mjs';

export const kKey = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const evil = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>';

export let database;
export let api;
export let profile;
export let page;
// The idempotency keys of all requests that this profile sent.
export let sent;
let browser;
let shared;
let booked;

// Call it inside describe(). The environment is for the api.
export function useRidePage(environment = {}) {
  before(async () => {
    database = createDatabase();
    [api, browser] = await Promise.all([startApi(database.url, environment), launchBrowser()]);
    shared = await reuseProfile(browser, api.url);
  });
  after(async () => {
    await browser?.close();
    await api?.stop();
    database?.drop();
  });
  beforeEach(async () => {
    booked = database.count('rides');
    profile = shared.profile;
    page = await shared.openFresh('/');
    listen();
  });
  afterEach(async () => {
    assert.deepEqual(profile.faults.filter((fault) => !fault.includes('Failed to load resource')), []);
    if (profile !== shared.profile) await profile.close();
  });
}

let heard = null;
function listen() {
  const keys = [];
  sent = keys;
  if (heard) shared.profile.off('request', heard);
  heard = (request) => {
    if (['POST', 'DELETE'].includes(request.method())) keys.push(request.headers()['idempotency-key']);
  };
  profile.on('request', heard);
}

// Opens a profile for one test only. For changes that cannot be undone in the shared profile.
export async function openOwn(options = {}) {
  if (profile !== shared.profile) await profile.close();
  profile = await openProfile(browser, api.url, options);
  listen();
  page = await profile.newPage();
  await page.goto('/');
}

export const button = (name, of = page) => of.getByRole('button', { name, exact: true });
export const heading = (name, of = page) => of.getByRole('heading', { name });
export const key = (of = page) => of.locator('#key').textContent();
export const rides = () => database.count('rides') - booked;

// The next POST requests to /rides meet these faults, one each. Later requests pass. A fault is a function of the
// route.
export async function befall(...faults) {
  await profile.route('**/rides', async (route) => {
    const fault = route.request().method() === 'POST' && faults.shift();
    await (fault ? fault(route) : route.continue());
  });
}
export const answerLost = async (route) => {
  await route.fetch();
  await route.abort('connectionreset');
};
export const answer = (status, body, headers = {}) => (route) =>
  route.fulfill({ status, headers, contentType: 'application/json', body: JSON.stringify(body) });

export async function expectBooked(of = page) {
  await heading('Your ride is booked', of).waitFor();
  assert.equal(rides(), 1);
  assert.equal(new Set(sent).size, 1);
  assert.match(sent[0], kKey);
}

export async function expectHarmless() {
  assert.equal(await page.evaluate(() => window.broken), undefined);
  assert.equal(await page.locator('main img, main script').count(), 0);
}

export function deferred() {
  let resolve;
  const promise = new Promise((done) => { resolve = done; });
  return { promise, resolve };
}
