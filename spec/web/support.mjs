// The common part of the specs of the pages: a database, an api that uses it, and Chromium.
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

// libpq has two kinds of connection strings. In a URI the database is the path; it may name several hosts, so the URL
// class cannot parse it. In a list of keywords the last dbname counts.
function withDatabase(connection, name) {
  const uri = /^(postgres(?:ql)?:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/.exec(connection);
  return uri ? `${uri[1]}/${name}${uri[2] ?? ''}` : `${connection} dbname=${name}`;
}

// Each of these programs has a role of its own; see bin/support/roles.sql.
const withRole = ['api', 'completer', 'enqueuer', 'reaper', 'simulator'];
// The last user counts, in both kinds.
function urlOfRole(connection, program) {
  if (!/^postgres(ql)?:/.test(connection)) return `${connection} user=rocket_${program}`;
  return `${connection}${connection.includes('?') ? '&' : '?'}user=rocket_${program}`;
}

// Creates a database with the schema and the roles. Call drop() at the end.
export function createDatabase() {
  const server = process.env.SPEC_DATABASE_URL;
  if (!server) throw new Error('SPEC_DATABASE_URL is not set; run the specs with bin/test');
  const name = `web_${randomBytes(6).toString('hex')}`;
  // Roles that are made get the password of the URL.
  const given = decodeURIComponent(/^[^/]*\/\/[^/@:]*:([^/@]*)@/.exec(server)?.[1] ?? '');
  const password = given && `-c rocket.password=${given.replace(/[\\ ]/g, '\\$&')}`;
  const run = (url, ...args) =>
    execFileSync(psql, ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', url, ...args], {
      encoding: 'utf8', env: { ...process.env, PGOPTIONS: `-c client_min_messages=warning ${password}` } }).trim();
  run(server, '-c', `CREATE DATABASE ${name}`);
  const url = withDatabase(server, name);
  run(url, '-f', path.join(root, 'schema.sql'), '-f', path.join(root, 'bin/support/roles.sql'));
  return {
    url,
    query: (sql) => run(url, '-c', sql),
    count: (table, where = 'true') => Number(run(url, '-c', `SELECT count(*) FROM ${table} WHERE ${where}`)),
    drop: () => run(server, '-c', `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

// Starts one of our programs. Its output is kept. line(text) waits for a line that contains the text.
export function startProgram(program, environment, flags = []) {
  const { DATABASE_URL: url } = environment;
  if (url && withRole.includes(program)) {
    environment = { [`${program.toUpperCase()}_DATABASE_URL`]: urlOfRole(url, program), ...environment };
  }
  const child = spawn(path.join(binaries, program), flags,
    { env: { PATH: process.env.PATH, METRICS_PORT: '0', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
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

// One user sends all requests of a test, and from one address.
const kNoLimits = Object.fromEntries(['REQUESTS_PER_S', 'FAILED_CREDENTIALS_PER_MIN', 'DECLINES_PER_H', 'UNFINISHED_KEYS_PER_H', 'KEYS_PER_DAY']
  .map((name) => [`API_${name}`, '0']));

export async function startApi(databaseUrl, environment = {}, flags = []) {
  // A long limit, so that a busy machine does not cause a 503.
  const program = startProgram('api', { DATABASE_URL: databaseUrl, API_PORT: '0', DATABASE_TIMEOUT_MS: '10000', ...kNoLimits, ...environment }, flags);
  const port = /port=(\d+)/.exec(await program.line('listening'))[1];
  return { ...program, port: Number(port), url: `http://127.0.0.1:${port}` };
}

// Runs a command of the api, such as --list-tokens, and returns its output.
export const runCommand = (databaseUrl, ...flags) =>
  execFileSync(path.join(binaries, 'api'), flags, {
    encoding: 'utf8', env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl }, stdio: ['ignore', 'pipe', 'ignore'] });

// Returns a new API token. `flags` are such as '--scopes', 'read'.
export const createToken = (databaseUrl, of, ...flags) =>
  runCommand(databaseUrl, '--create-token', of, '--name', 'spec', ...flags).trim();

// Returns the Authorization header of a new API token.
export const bearer = (databaseUrl, ...flags) => `Bearer ${createToken(databaseUrl, user, ...flags)}`;

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.SPEC_CHROMIUM ?? '/usr/bin/chromium-headless-shell',
    // Chromium has no sandbox for root.
    chromiumSandbox: process.getuid() !== 0,
    args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

// Opens a new browser profile. It records what no page may do: errors in the console, and requests to other servers.
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

// Opens one profile for many tests, because each new one costs a process. openFresh(path) opens its page as in a new
// profile. Routes and pages that a test adds are removed; all other changes to the profile stay.
export async function reuseProfile(browser, base, options = {}) {
  const profile = await openProfile(browser, base, options);
  // Runs before the page's own scripts, and not again when the page is reloaded.
  await profile.addInitScript(() => {
    if (location.search !== '?fresh') return;
    localStorage.clear();
    sessionStorage.clear();
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

// Runs a command that a page shows in a shell, and returns its output.
export const runInShell = (command, environment = {}) =>
  execFileSync('bash', ['-c', command], { encoding: 'utf8', env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'ignore'] });

export async function eventually(probe, what, limit = 30_000) {
  for (const end = Date.now() + limit; ;) {
    const result = await probe();
    if (result) return result;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}
