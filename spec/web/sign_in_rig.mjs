// The common part of the specs of pages that take API tokens. See ride_rig.mjs for the page.
import { createToken, runCommand, user } from './support.mjs';
import { button, database, page } from './ride_rig.mjs';

export const newToken = (of = user, ...flags) => createToken(database.url, of, ...flags);
export const idOf = (token) => token.slice(3, 15);
export const revoke = (token) => runCommand(database.url, '--revoke-token', idOf(token));

export const header = (of = page) => of.locator('.user');
export const box = (of = page) => of.getByRole('dialog', { name: 'Sign in' });
export const input = (of = page) => of.getByLabel('API token');
export const fault = (text, of = page) => of.locator('#token-fault', { hasText: text }).waitFor();
export const signedOut = (of = page) => header(of).getByText('Not signed in').waitFor();

// Gives a token to the box, and opens it before if need be.
export async function offer(token, of = page) {
  if (!await box(of).isVisible()) await button('Sign in', header(of)).click();
  await input(of).fill(token);
  await button('Sign in', box(of)).click();
}

export async function signIn(token, of = page) {
  await offer(token, of);
  await header(of).getByText(`Token ${idOf(token)}`).waitFor();
}

// What the browser keeps: for all tabs, and for this tab only.
export const stored = (of = page) => of.evaluate(() => ({ ...localStorage }));
export const kept = (of = page) => of.evaluate(() => Object.values(sessionStorage).join());

// Lists the requests that the page's scripts send from now on.
export function asked() {
  const requests = [];
  page.on('request', (request) => ['fetch', 'xhr'].includes(request.resourceType()) && requests.push(request));
  return requests;
}
