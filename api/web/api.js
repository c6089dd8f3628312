// Sends requests to the service, and tells what its answers mean for a retry.
import { authorizationOf, refuse } from './user.js';

const kPatience = 45_000;
// The longest wait that is used, in seconds, whatever an answer says. Timers that are too long fire at once.
const kLongestWait = 3600;
// Stands for an answer while nobody is signed in. Nothing is sent then.
const kSignedOut = { status: 401, body: { error: 'Sign in first.', code: 'signed_out' } };

// Never throws. `silence` is set when there is no answer. Then it is unknown what the service did. `user` asks, or
// nobody if it is undefined. `token` asks instead while nobody has signed in with it yet.
export async function ask(method, path, { user, token, key, fields } = {}) {
  const authorization = token ? `Bearer ${token}` : authorizationOf(user ?? null);
  if (user !== undefined && !authorization) return kSignedOut;
  const answer = await send(method, path, { authorization, key, fields });
  if (answer.status === 401 && answer.body?.code) refuse(user, describe(answer));
  return answer;
}

async function send(method, path, { authorization, key, fields }) {
  const headers = { Accept: 'application/json' };
  if (authorization) headers.Authorization = authorization;
  if (key) headers['Idempotency-Key'] = key;
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: fields && new URLSearchParams(fields),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal: AbortSignal.timeout(kPatience),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: parse(text),
      replayed: response.headers.get('Idempotent-Replayed') === 'true',
      retryAfter: Math.min(Number(response.headers.get('Retry-After')) || 0, kLongestWait),
    };
  } catch (error) {
    return { silence: error.name === 'TimeoutError' ? 'no answer in time' : 'the connection failed' };
  }
}

// Returns the object that a JSON text holds. Returns null for anything else, such as a proxy's page.
function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

// success and failure are final. parked: a person at the service has to look. unknown: the request may have taken
// effect or not, so it has to be sent again with the same key.
export function verdict(answer) {
  const code = answer.body?.code;
  if (answer.silence || answer.body === null) return 'unknown';
  if (answer.status >= 200 && answer.status < 300) return 'success';
  if (code === 'request_parked') return 'parked';
  if (code === 'payment_rejected') return 'failure';
  const again = answer.status < 400 || answer.status >= 500 || [408, 425, 429].includes(answer.status);
  return again || code === 'request_in_progress' || !code ? 'unknown' : 'failure';
}

// What to tell people about an answer that was no success.
export function describe(answer) {
  if (answer.silence) return answer.silence;
  return typeof answer.body?.error === 'string' ? answer.body.error : `an answer that makes no sense (${answer.status})`;
}

// Returns a random UUID. Works even if the page was not loaded in a secure context.
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
