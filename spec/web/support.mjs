// What the specs of the pages share: a database, an api that uses it, and Chromium.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';

export const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
const binaries = process.env.SPEC_BIN_DIR ?? path.join(root, 'build/bin');
const psql = '/usr/lib/postgresql/15/bin/psql';

export const user = 'user@example.com';
export const declinedUser = 'user-bad-source@example.com';

// Of libpq's two kinds of connection strings, the one has its database in a path (and may name several hosts, which no
// URL may), the other takes the last that is named.
function withDatabase(connection, name) {
  const uri = /^(postgres(?:ql)?:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/.exec(connection);
  return uri ? `${uri[1]}/${name}${uri[2] ?? ''}` : `${connection} dbname=${name}`;
}

// A database of its own, with the schema; drop() it in the end.
export function createDatabase() {
  const server = process.env.SPEC_DATABASE_URL;
  if (!server) throw new Error('SPEC_DATABASE_URL is not set; run the specs with bin/test');
  const name = `web_${randomBytes(6).toString('hex')}`;
  const run = (url, ...args) =>
    execFileSync(psql, ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', url, ...args], {
      encoding: 'utf8', env: { ...process.env, PGOPTIONS: '-c client_min_messages=warning' } }).trim();
  run(server, '-c', `CREATE DATABASE ${name}`);
  const url = withDatabase(server, name);
  run(url, '-f', path.join(root, 'schema.sql'));
  return {
    url,
    query: (sql) => run(url, '-c', sql),
    count: (table, where = 'true') => Number(run(url, '-c', `SELECT count(*) FROM ${table} WHERE ${where}`)),
    drop: () => run(server, '-c', `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

// One of our programs, running. Its output is kept; line(text) waits for a line that holds the text.
export function startProgram(program, environment, flags = []) {
  const child = spawn(path.join(binaries, program), flags,
    { env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => { output += bytes; });
  const ended = new Promise((resolve) => { child.on('exit', resolve); });
  return {
    kill: (signal) => child.kill(signal),
    output: () => output,
    async line(text) {
      return eventually(() => output.split('\n').slice(0, -1).find((line) => line.includes(text)), `"${text}" from ${program}`);
    },
    async stop() {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

export async function startApi(databaseUrl, environment = {}, flags = []) {
  // A machine that has other things to do is no reason for a 503.
  const program = startProgram('api', { DATABASE_URL: databaseUrl, API_PORT: '0', DATABASE_TIMEOUT_MS: '10000', ...environment }, flags);
  const port = /port=(\d+)/.exec(await program.line('listening'))[1];
  return { ...program, port: Number(port), url: `http://127.0.0.1:${port}` };
}

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.SPEC_CHROMIUM ?? '/usr/bin/chromium-headless-shell',
    // Chromium has no sandbox for root.
    chromiumSandbox: process.getuid() !== 0,
    args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

// A browser profile of its own that notes what no page may do: errors in the console, requests to others.
export async function openProfile(browser, base, options = {}) {
  const context = await browser.newContext({ baseURL: base, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(30_000);
  const faults = [];
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => faults.push(`error: ${error.error()}`));
  context.on('request', (request) => {
    if (!request.url().startsWith(`${base}/`)) faults.push(`request to ${request.url()}`);
  });
  context.faults = faults;
  return context;
}

// One profile for many tests, because a new one costs a process: openFresh(path) gives its page as if nothing had been
// before. What is added to the profile in a test, but for routes and pages, stays.
export async function reuseProfile(browser, base, options = {}) {
  const profile = await openProfile(browser, base, options);
  // Before the page's own scripts, and not when it is loaded again.
  await profile.addInitScript(() => {
    if (location.search !== '?fresh') return;
    localStorage.clear();
    history.replaceState(null, '', location.pathname);
  });
  let current = await profile.newPage();
  return {
    profile,
    async openFresh(path) {
      if (current.isClosed()) current = await profile.newPage();
      await Promise.all(profile.pages().filter((other) => other !== current).map((other) => other.close()));
      await profile.unrouteAll({ behavior: 'ignoreErrors' });
      await profile.setOffline(false);
      await current.goto(`${path}?fresh`);
      profile.faults.length = 0;
      return current;
    },
  };
}

// What a shell makes of a command that a page shows.
export const runInShell = (command) => execFileSync('bash', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

export async function eventually(probe, what, limit = 30_000) {
  for (const end = Date.now() + limit; ;) {
    const result = await probe();
    if (result) return result;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}
