import { ask, describe, uuid, verdict } from './api.js';
import { currentUser } from './user.js';
import { clock, code, element } from './view.js';

const $ = (id) => document.getElementById(id);
// With the time that an answer takes, once a second.
const kPace = 900;
const kSamples = 120;

// Where a request stands: its recovery point, and whether somebody is at work on it. A cancellation prepares a
// refund where a ride is created, and refunds where that is charged.
function stationOf(point, leased) {
  const prepared = leased ? 2 : 1;
  return { started: 0, ride_created: prepared, refund_prepared: prepared, charge_created: 3, refund_created: 3, finished: 4 }[point] ?? 0;
}

// ---- one request of one's own

// { key, user, fault, fields, unanswered: requests under way, seen: what was last known of it }
let mine = null;

function tell(...content) {
  if (!$('story').querySelector('time')) $('story').replaceChildren();
  $('story').prepend(element('li', {}, element('time', {}, clock()), ...content));
  while ($('story').children.length > 40) $('story').lastChild.remove();
}

const kSent = {
  none: 'Nothing will go wrong.',
  before: 'Its process will fail just before the charge.',
  down: 'Its provider will not be reached.',
  'answer-lost': 'The provider will charge, and its answer will be lost.',
  stall: 'Its process will stall once the provider has charged.',
};

const kBroken = {
  before: 'The process failed just before the charge. The ride is on record, with the key that its charge is going to carry, and nothing was charged: whoever comes next goes on from there.',
  down: 'The provider was not reached. For the service that is the same as a lost answer, so it promises nothing and keeps the ride and its charge key: the next attempt sends that same key.',
  'answer-lost': 'The provider has charged the card, and nobody here knows. The charge carried a key that was stored before the call: the next attempt sends it again, and the provider answers with the charge that it made.',
};

// What an answer means. `first`: the answer to the request that was made to fail.
function explain(answer, first) {
  const { status, body, replayed } = answer;
  if (verdict(answer) === 'success') {
    if (first && mine.fault === 'stall') {
      return replayed
        ? 'The stalled process woke up, asked to write in the name of its old lease, and wrote nothing: another one had finished. It handed on the stored answer.'
        : 'The stalled process woke up in time. Its lease was still good, so it recorded the charge and finished.';
    }
    return replayed
      ? 'The stored answer, byte for byte. Nothing was done again, whoever asks and however often.'
      : 'Booked. Charge, receipt and answer became permanent in one transaction, so there is no moment at which only some of them are true.';
  }
  if (body?.code === 'request_in_progress') {
    return 'Somebody holds the lease of this key, and two at work on one request is what must not be. Wait, or let the lease run out.';
  }
  if (body?.code === 'card_declined') return 'The card was declined. That is an answer too, stored under the key: a repetition gets the same, and asks no bank.';
  if (first && status >= 500 && kBroken[mine.fault]) return kBroken[mine.fault];
  return `${describe(answer)} The key keeps what was done; a retry with it is safe.`;
}

async function send(path, fields, first) {
  const experiment = mine;
  experiment.unanswered += 1;
  const answer = await ask('POST', path, { ...experiment, fields });
  experiment.unanswered -= 1;
  if (experiment !== mine) return;
  const label = answer.silence ? 'No answer' : `${answer.status}${answer.replayed ? ', replayed' : ''}`;
  tell(element('strong', {}, `${label}. `), explain(answer, first));
  await watch();
}

function begin(event) {
  event.preventDefault();
  const fault = $('form').elements.fault.value;
  const place = (degrees) => ((Math.random() - 0.5) * degrees).toFixed(2);
  mine = {
    key: uuid(), user: currentUser(), fault, seen: null, unanswered: 0,
    fields: { origin_lat: place(120), origin_lon: place(360), target_lat: place(120), target_lon: place(360) },
  };
  $('key').textContent = mine.key;
  for (const id of ['point', 'attempts', 'ledger']) $(id).textContent = '–';
  placeOn($('mine'), -1);
  $('retry').disabled = $('hurry').disabled = false;
  tell(element('strong', {}, 'Sent. '), `${kSent[fault]} The service claims the key first; whoever else comes with it now is told to wait.`);
  if (fault === 'none') return send('/rides', mine.fields, true);
  if (fault === 'before') return send('/rides', { ...mine.fields, raise_error: 'true' }, true);
  return send(`/lab/rides/${fault}`, mine.fields, true);
}

function retry() {
  tell(element('strong', {}, 'Retried by hand. '), 'The same request with the same key: it goes on where the key says that the last attempt got to.');
  send('/rides', mine.fields, false);
}

async function hurry() {
  const experiment = mine;
  const answer = await ask('POST', `/lab/hurry/${experiment.key}`, { user: experiment.user });
  if (experiment !== mine) return;
  tell(element('strong', {}, 'Two hours pass for this key. '), verdict(answer) === 'success'
    ? 'Its lease has run out, and it counts as abandoned: a completer takes it within five seconds, if one runs, under a lease of its own.'
    : describe(answer));
  await watch();
}

function placeOn(list, station, mood = '') {
  [...list.children].forEach((item, i) => {
    item.className = i < station || (station === 4 && i === 4) ? 'passed' : i === station ? `here ${mood}` : '';
    if (i === station) item.setAttribute('aria-current', 'step');
    else item.removeAttribute('aria-current');
  });
}

function showLedger(calls) {
  if (!Array.isArray(calls)) return 'none is kept (MOCK_LEDGER)';
  const charges = new Set(calls.map(({ charge }) => charge).filter(Boolean)).size;
  const lost = calls.filter((call) => call.answer_lost).length;
  const count = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`;
  if (!calls.length) return 'no call yet, no charge';
  return `${count(calls.length, 'call')} with one charge key, ${count(charges, 'charge')}${lost ? `; ${count(lost, 'answer')} lost` : ''}`;
}

async function watch() {
  const experiment = mine;
  const answer = await ask('GET', `/lab/requests/${experiment.key}`, { user: experiment.user });
  if (experiment !== mine || verdict(answer) !== 'success') return;
  const { request, ledger } = answer.body;
  const before = experiment.seen;
  experiment.seen = request;
  const leased = request.state === 'in_progress';
  placeOn($('mine'), stationOf(request.point, leased), request.state);
  $('point').textContent = request.state === 'finished' ? 'finished'
    : `${request.point}, ${request.state.replace('_', ' ')}${request.error ? `: ${request.error}` : ''}`;
  $('attempts').textContent = `${request.attempts}, of which ${request.completions} by completers`;
  $('ledger').textContent = showLedger(ledger);
  $('hurry').disabled = request.state === 'finished' || request.state === 'parked';
  if (experiment.fault === 'stall' && !experiment.stallTold && leased && ledger?.length) {
    experiment.stallTold = true;
    tell(element('strong', {}, 'Stalled. '), 'The card is charged, and the process has come to a stop with the lease in its hands. Nobody else may go on until it wakes, or its lease runs out.');
  }
  if (before && request.completions > before.completions) {
    tell(element('strong', {}, 'The completer took it. '), 'Under a new lease, so that whoever held the old one writes nothing any more; and with the same charge key, so that the provider charges no second time.');
  }
  if (request.state === 'finished' && before?.state !== 'finished' && request.completions > 0) {
    tell(element('strong', {}, 'Finished without its client. '), 'The answer is stored; retry by hand, as a client that comes back would, and you get it.');
  }
}

// ---- everybody's

const dots = new Map();
const samples = { rate: [], latency: [], high: [], jobs: [] };
let nextRow = 0;

function dot(id) {
  if (!dots.has(id)) {
    const made = element('div', { class: 'dot' });
    made.style.left = '10%';
    made.style.top = `${4 + (nextRow++ % 11) * 12}px`;
    $('track').append(made);
    // Where it begins is to be seen before it moves.
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

function showBoard(board) {
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
    `${name}: ${connections} connection${connections === 1 ? '' : 's'}, ${idle < 1.5 ? 'now' : `${Math.round(idle)} s ago`}`).join(' · ') || 'none';

  fillTable('unfinished', board.under_way.map((each) => row(code(`${each.key}…`), each.request, each.user, each.point,
    each.leased ? `${each.lease_age_s} s` : 'none', each.attempts, each.error)), 7, 'None: everything is finished.');
  fillTable('parked', board.parked.map((each) =>
    row(code(`${each.key}…`), each.request, each.user, each.point, each.attempts, each.error)), 6, 'None.');
}

async function look() {
  const answer = await ask('GET', '/lab/board');
  const known = verdict(answer) === 'success';
  $('board-state').textContent = known ? 'Live.' : `Not known now: ${describe(answer)}`;
  if (!known) return;
  $('controls').disabled = !answer.body.faults;
  $('no-faults').hidden = answer.body.faults;
  showBoard(answer.body.board);
}

async function live() {
  // Nobody looks at a page in the background.
  if (!document.hidden) {
    await look();
    if (mine && (mine.unanswered || mine.seen?.state !== 'finished')) await watch();
  }
  setTimeout(live, kPace);
}

$('form').addEventListener('submit', begin);
$('retry').addEventListener('click', retry);
$('hurry').addEventListener('click', hurry);
document.addEventListener('visibilitychange', () => document.hidden || look());
live();
