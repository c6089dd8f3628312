import { element } from './view.js';

// The plots of the board. Each is a few lines, and a sentence that says the same.

const $ = (id) => document.getElementById(id);
const kSamples = 120;

const svg = (name, attributes, ...children) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

// The lines are no use to a screen reader, so a sentence says the same.
export function figure(name, caption, ...lines) {
  return element('figure', {},
    element('figcaption', {}, `${caption} `, element('b', { id: name }, '–')),
    svg('svg', { class: 'plot', viewBox: '0 0 120 40', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      ...lines.map(([id, kind]) => svg('polyline', { id, class: kind }))),
    element('p', { id: `${name}-words`, class: 'unseen' }));
}

const samples = new Map();

// Returns the latest values. What is not known counts as it was.
function sample(name, value) {
  const values = samples.get(name) ?? [];
  values.push(Number.isFinite(value) ? value : values.at(-1) ?? 0);
  if (values.length > kSamples) values.shift();
  samples.set(name, values);
  return values;
}

function plot(id, values, most) {
  const top = Math.max(most, 1e-9);
  $(id).setAttribute('points', values.map((value, i) =>
    `${(120 / (kSamples - 1)) * (i + kSamples - values.length)},${(38 - (36 * value) / top).toFixed(1)}`).join(' '));
}

function describePlot(name, values, write) {
  $(`${name}-words`).textContent =
    `In the last ${values.length} looks: from ${write(Math.min(...values))} to ${write(Math.max(...values))}, at last ${write(values.at(-1))}.`;
}

const milliseconds = (value) => (Number.isFinite(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : '–');
export const upTo = (count, most) => (count >= most ? `${most} or more` : String(count));

export function showPlots(board) {
  const [median, high] = board.latency_ms ?? [];
  $('rate').textContent = `${board.rate.toFixed(1)}`;
  $('latency').textContent = `${milliseconds(median)}, ${milliseconds(high)}`;
  $('jobs').textContent = upTo(board.jobs, 1000);
  const rates = sample('rate', board.rate);
  plot('rate-plot', rates, Math.max(...rates));
  describePlot('rate', rates, (value) => value.toFixed(1));
  const highs = sample('high', high);
  plot('high-plot', highs, Math.max(...highs));
  plot('latency-plot', sample('latency', median), Math.max(...highs));
  describePlot('latency', highs, milliseconds);
  const jobs = sample('jobs', board.jobs);
  plot('jobs-plot', jobs, Math.max(...jobs));
  describePlot('jobs', jobs, String);
}

// What the api had counted at the last look: { at, http }.
let counted = null;

// The time in milliseconds that this share of the answers took at most, out of the counts of a histogram.
function quantile(bounds, counts, share) {
  const rank = counts.at(-1) * share;
  const i = counts.findIndex((count) => count >= rank);
  if (i < 0 || counts.at(-1) === 0) return NaN;
  if (i >= bounds.length) return bounds.at(-1) * 1000;
  const [low, below] = i > 0 ? [bounds[i - 1], counts[i - 1]] : [0, 0];
  return (low + ((bounds[i] - low) * (rank - below)) / (counts[i] - below)) * 1000;
}

// Shows what happened since the last look. Another api may have answered that, or this one may be new: then less was
// counted than before, and nothing is known.
export function showOwnPlots(at, http) {
  const before = counted;
  if (before?.at === at) return;
  counted = { at, http };
  const seconds = (Date.parse(at) - Date.parse(before?.at)) / 1000;
  const more = before && http.latency_counts.map((count, i) => count - before.http.latency_counts[i]);
  if (!before || !(seconds > 0) || more.some((count) => count < 0)) return;
  const classes = ['2xx', '4xx', '5xx'];
  const rates = classes.map((name) => (http.answers[name] - before.http.answers[name]) / seconds);
  $('answers').textContent = rates.map((rate) => rate.toFixed(1)).join(', ');
  const drawn = rates.map((rate, i) => sample(classes[i], rate));
  ['ok-plot', 'refused-plot', 'failed-plot'].forEach((id, i) => plot(id, drawn[i], Math.max(...drawn.flat())));
  describePlot('answers', drawn[2], (value) => `${value.toFixed(1)} failures`);

  const times = [0.5, 0.95, 0.99].map((share) => quantile(http.latency_bounds_s, more, share));
  $('duration').textContent = times.map(milliseconds).join(', ');
  const lines = times.map((time, i) => sample(`duration-${i}`, time));
  ['usual-plot', 'slow-plot', 'slowest-plot'].forEach((id, i) => plot(id, lines[i], Math.max(...lines[2])));
  describePlot('duration', lines[2], milliseconds);
}
