import { code, element } from './view.js';

// The board of the laboratory: the requests of all users that are under way, and how fast they go.

const $ = (id) => document.getElementById(id);
const kSamples = 120;

// The station of a request. It depends on the recovery point, and on whether somebody is at work on the request. A
// cancellation uses the stations of a ride: it prepares its refund where a ride is created, and refunds where a ride is
// charged.
export function stationOf(point, leased) {
  const prepared = leased ? 2 : 1;
  return { started: 0, ride_created: prepared, refund_prepared: prepared, charge_created: 3, refund_created: 3, finished: 4 }[point] ?? 0;
}

const dots = new Map();
const samples = { rate: [], latency: [], high: [], jobs: [] };
let nextRow = 0;

function dot(id) {
  if (!dots.has(id)) {
    const made = element('div', { class: 'dot' });
    made.style.left = '10%';
    made.style.top = `${4 + (nextRow++ % 11) * 12}px`;
    $('track').append(made);
    // Forces a layout, so that the viewer sees the dot at its start before it moves.
    made.getBoundingClientRect();
    dots.set(id, { made });
  }
  return dots.get(id);
}

function move(id, station, kind) {
  const { made } = dot(id);
  made.className = `dot ${kind}`;
  made.style.left = `${station * 20 + 10}%`;
}

function moveAll(board) {
  const here = new Set();
  for (const { id, point, leased } of board.under_way) {
    here.add(id);
    move(id, stationOf(point, leased), leased ? '' : 'waiting');
  }
  for (const { id, status } of board.ended) {
    here.add(id);
    if (dots.get(id)?.ended) continue;
    dot(id).ended = true;
    move(id, 4, status < 300 ? 'ended' : 'refused');
    setTimeout(() => dots.get(id)?.made.classList.add('leaving'), 2500);
  }
  for (const [id, { made }] of dots) {
    if (here.has(id)) continue;
    made.remove();
    dots.delete(id);
  }
}

function plot(id, values, most) {
  const top = Math.max(most, 1e-9);
  $(id).setAttribute('points', values.map((value, i) =>
    `${(120 / (kSamples - 1)) * (i + kSamples - values.length)},${(38 - (36 * value) / top).toFixed(1)}`).join(' '));
}

function sample(name, value) {
  samples[name].push(Number.isFinite(value) ? value : samples[name].at(-1) ?? 0);
  if (samples[name].length > kSamples) samples[name].shift();
  return samples[name];
}

const milliseconds = (value) => (Number.isFinite(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : '–');
const upTo = (count, most) => (count >= most ? `${most} or more` : String(count));

function row(...cells) {
  return element('tr', {}, ...cells.map((cell) => element('td', {}, cell ?? '')));
}

function fillTable(id, rows, columns, none) {
  $(id).replaceChildren(...(rows.length ? rows : [element('tr', {}, element('td', { colspan: columns, class: 'quiet' }, none))]));
}

export function showBoard(board) {
  const counts = [0, 0, 0, 0, `${board.rate.toFixed(1)}/s`];
  for (const [point, { all, leased }] of Object.entries(board.points)) {
    counts[stationOf(point, false)] += all - leased;
    counts[stationOf(point, true)] += leased;
  }
  [...$('stations').children].forEach((item, i) => { item.querySelector('b').textContent = counts[i]; });
  moveAll(board);

  const [median, high] = board.latency_ms ?? [];
  $('rate').textContent = `${board.rate.toFixed(1)}`;
  $('latency').textContent = `${milliseconds(median)}, ${milliseconds(high)}`;
  $('jobs').textContent = upTo(board.jobs, 1000);
  const rates = sample('rate', board.rate);
  plot('rate-plot', rates, Math.max(...rates));
  const highs = sample('high', high);
  plot('high-plot', highs, Math.max(...highs));
  plot('latency-plot', sample('latency', median), Math.max(...highs));
  const jobs = sample('jobs', board.jobs);
  plot('jobs-plot', jobs, Math.max(...jobs));

  $('leases').textContent = board.leases;
  $('retried').textContent = board.retried;
  $('workers').textContent = board.workers.map(({ name, connections, idle_s: idle }) =>
    // Only a role that may read all statistics is told how long others have been idle.
    `${name}: ${connections} connection${connections === 1 ? '' : 's'}${idle === null ? '' : idle < 1.5 ? ', now' : `, ${Math.round(idle)} s ago`}`).join(' · ') || 'none';

  fillTable('unfinished', board.under_way.map((each) => row(code(`${each.key}…`), each.request, each.user, each.point,
    each.leased ? `${each.lease_age_s} s` : 'none', each.attempts, each.error)), 7, 'None: everything is finished.');
  fillTable('parked', board.parked.map((each) =>
    row(code(`${each.key}…`), each.request, each.user, each.point, each.attempts, each.error)), 6, 'None.');
}
