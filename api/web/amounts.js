// Reads amounts as people type them. A text that could mean two things is refused, never guessed: some people read
// 1,000 and 1.000 as a thousand, others as one.

const kMost = 100_000;

// Returns '25' for ' 25 ', or null if the text is not one whole number.
export function wholeDollars(text) {
  const trimmed = text.trim();
  return /^-?\d{1,12}$/.test(trimmed) ? trimmed : null;
}

// Returns why the text is no amount, or null if it is one.
export function fault(text) {
  if (text.trim() === '') return 'An amount is missing.';
  const value = wholeDollars(text);
  if (value === null) return 'This must be whole dollars, in digits alone, such as 25.';
  return value >= 1 && value <= kMost ? null : 'This must be between 1 and 100,000.';
}
