// Writes a request as a command that does the same when it is pasted into a shell.
import { byToken } from './user.js';

// Inside single quotes a shell takes every character as it is, except the single quote.
const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

// `fields` become a form; curl escapes their values. A token is not shown: the shell has to know it as TOKEN.
export function curl(method, path, { user, key, fields = {} }) {
  const authorization = byToken ? '"Authorization: Bearer $TOKEN"' : quoted(`Authorization: ${user}`);
  const parts = [`curl -i -X ${method} ${quoted(`${location.origin}${path}`)}`, `-H ${authorization}`];
  if (key) parts.push(`-H ${quoted(`Idempotency-Key: ${key}`)}`);
  for (const [name, value] of Object.entries(fields)) parts.push(`--data-urlencode ${quoted(`${name}=${value}`)}`);
  return parts.join(' \\\n  ');
}
