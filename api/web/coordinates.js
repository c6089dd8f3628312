// Reads coordinates as people type and paste them. A text that could mean two things is refused, never guessed.

const kNumber = /^-?(\d+([.,]\d*)?|[.,]\d+)$/;
const kPointNumber = /^-?\d+\.\d+$/;

// Returns '48.85' for '48,85' and '48.85', as the service takes it. Returns null if the text is not one decimal number.
export function decimal(text) {
  const trimmed = text.trim();
  return trimmed.length <= 40 && kNumber.test(trimmed) ? trimmed.replace(',', '.') : null;
}

// Returns two numbers, latitude first, as the service takes them. Returns null if the text is not clearly a pair. A
// comma without a space separates only numbers that both have a decimal point, because '48,85' is one number.
export function pair(text) {
  const bare = text.trim().replace(/^\((.*)\)$/, '$1').trim();
  const halves = bare.split(/\s*;\s*|\s*,\s+|\s+/);
  if (halves.length === 2) {
    const both = halves.map(decimal);
    return both.includes(null) ? null : both;
  }
  const points = bare.split(',');
  return points.length === 2 && points.every((half) => kPointNumber.test(half)) ? points : null;
}

// Returns why the text is no coordinate from -limit to limit, or null if it is one.
export function fault(text, limit) {
  if (text.trim() === '') return 'A number is missing.';
  const value = decimal(text);
  if (value === null) {
    return /[\d.,]\s*[,;\s]\s*[-\d.,]/.test(text.trim())
      ? 'This is more than one number. Latitude and longitude have a field each.'
      : 'This is not a decimal number such as 48.85.';
  }
  return Math.abs(Number(value)) <= limit ? null : `This must be between -${limit} and ${limit}.`;
}
