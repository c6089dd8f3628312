// A request as a command that can be pasted into a shell and does the same.

// Inside of single quotes a shell takes everything for itself, but for the single quote.
const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

// `fields` become a form; curl escapes their values.
export function curl(method, path, { user, key, fields = {} }) {
  const parts = [`curl -i -X ${method} ${quoted(`${location.origin}${path}`)}`, `-H ${quoted(`Authorization: ${user}`)}`];
  if (key) parts.push(`-H ${quoted(`Idempotency-Key: ${key}`)}`);
  for (const [name, value] of Object.entries(fields)) parts.push(`--data-urlencode ${quoted(`${name}=${value}`)}`);
  return parts.join(' \\\n  ');
}
