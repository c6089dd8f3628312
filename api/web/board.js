import { figure, showOwnPlots, showPlots, upTo } from './board_plots.js';
import { code, element } from './view.js';

// The board of operators: what the requests of all users are doing, how fast they go, and who is at work. The
// laboratory shows it too.

const $ = (id) => document.getElementById(id);
const kStations = ['claimed', 'ride created', 'charging', 'charged', 'finished'];

// The station of a request. It depends on the recovery point, and on whether somebody is at work on the request. A
// cancellation uses the stations of a ride: it prepares its refund where a ride is created, and refunds where a ride is
// charged.
export function stationOf(point, leased) {
  const prepared = leased ? 2 : 1;
  return { started: 0, ride_created: prepared, refund_prepared: prepared, charge_created: 3, refund_created: 3, finished: 4 }[point] ?? 0;
}

// ---- its place in the page

function card(id, title, ...children) {
  return element('section', { class: 'card', 'aria-labelledby': `${id}-title` }, element('h2', { id: `${id}-title`, tabindex: '-1' }, title), ...children);
}

// The roles are told, because a narrow page shows the rows one below the other, and then it is no table for browsers.
function table(id, ...columns) {
  return element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-labelledby': `${id}-title` },
    element('table', { class: 'stacking', role: 'table', 'aria-labelledby': `${id}-title` },
      element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...columns.map((name) => element('th', { scope: 'col', role: 'columnheader' }, name)))),
      element('tbody', { id, role: 'rowgroup' })));
}

const fact = (id, name) => [element('dt', {}, name), element('dd', { id }, '–')];

let choicesOf = null;

// Puts the empty board into the page. `choices(request)` returns what can be done about a request of a table, as an
// element for its row; without it, nothing can be done.
export function mountBoard(place, choices = null) {
  choicesOf = choices;
  const more = choices ? ['what to do'] : [];
  place.append(
    card('board', "Everybody's requests, now",
      element('p', { id: 'board-state', class: 'quiet', role: 'status' }, 'Asking…'),
      element('div', { class: 'board' },
        element('ol', { id: 'stations', class: 'stations', 'aria-label': 'Requests at each phase' },
          ...kStations.map((name) => element('li', {}, `${name} `, element('b', {}, '–')))),
        element('div', { id: 'track', class: 'track', 'aria-hidden': 'true' })),
      element('div', { class: 'plots', id: 'plots' },
        figure('rate', 'Finished per second', ['rate-plot', '']),
        figure('latency', 'Latency, median and 95 %', ['high-plot', 'second'], ['latency-plot', '']),
        figure('jobs', 'Jobs waiting', ['jobs-plot', '']),
        figure('answers', 'Answers per second of this api: 2xx, 4xx, 5xx', ['ok-plot', ''], ['refused-plot', 'second'], ['failed-plot', 'third']),
        figure('duration', 'Time to answer of this api: median, 95 %, 99 %', ['slowest-plot', 'third'], ['slow-plot', 'second'], ['usual-plot', ''])),
      element('dl', { class: 'facts' },
        ...fact('provider', 'Payment provider'), ...fact('oldest-job', 'Oldest job'), ...fact('leases', 'Leases held'),
        ...fact('retried', 'Tried more than once'), ...fact('workers', 'At work'))),
    card('parked', 'Parked: a person has to look',
      element('p', { id: 'parked-count', class: 'quiet' }),
      table('parked', 'key', 'request', 'user', 'stands at', 'attempts', 'reason', ...more)),
    card('unfinished', 'Unfinished, the oldest first',
      element('dl', { id: 'points', class: 'facts' }),
      table('unfinished', 'key', 'request', 'user', 'stands at', 'age', 'lease', 'attempts', 'last error', ...more)));
}

// ---- the dots

const dots = new Map();
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

// ---- the tables

export function age(seconds) {
  if (!Number.isFinite(seconds)) return String(seconds ?? '–');
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60]]) {
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

// Changes the rows that are there instead of making new ones, so that nobody loses the button that has the focus.
function fillTable(id, requests, none, cellsOf) {
  const body = $(id);
  const columns = [...body.parentElement.tHead.rows[0].cells].map((cell) => cell.textContent);
  const cell = (i, content) => element('td', { role: 'cell', 'data-column': columns[i] }, content);
  const known = new Map([...body.children].map((row) => [row.dataset.id, row]));
  const rows = requests.map((request) => {
    const row = known.get(request.id) ?? element('tr', { role: 'row', 'data-id': request.id });
    known.delete(request.id);
    const cells = cellsOf(request);
    cells.forEach((content, i) => {
      if (!row.cells[i]) row.append(cell(i, ''));
      const text = content instanceof Node ? content.textContent : String(content ?? '');
      if (row.cells[i].textContent !== text) row.cells[i].replaceChildren(content ?? '');
    });
    if (choicesOf && !row.cells[cells.length]) row.append(cell(cells.length, choicesOf(request, id)));
    return row;
  });
  for (const row of known.values()) {
    // Whoever stood there goes on from the heading.
    if (row.contains(document.activeElement)) $(`${id}-title`).focus();
    row.remove();
  }
  if (!rows.length) {
    rows.push(element('tr', { role: 'row' }, element('td', { role: 'cell', colspan: columns.length, class: 'quiet' }, none)));
  }
  rows.forEach((row, i) => body.children[i] === row || body.insertBefore(row, body.children[i] ?? null));
}

function showPoints(points) {
  $('points').replaceChildren(...Object.entries(points).flatMap(([point, { all, leased, oldest_s: oldest }]) => [
    element('dt', {}, point), element('dd', {}, `${all}, of which ${leased} leased; the oldest is ${age(oldest)} old`)]));
}

const kCircuits = {
  closed: 'answers',
  open: 'gives no answer: calls are refused for a moment',
  'half-open': 'gave no answer: one call is being tried',
};

// Shows an answer of /ops/board.
export function showBoard({ board, payment_circuit: circuit, http }) {
  const counts = [0, 0, 0, 0, `${board.rate.toFixed(1)}/s`];
  for (const [point, { all, leased }] of Object.entries(board.points)) {
    counts[stationOf(point, false)] += all - leased;
    counts[stationOf(point, true)] += leased;
  }
  [...$('stations').children].forEach((item, i) => { item.querySelector('b').textContent = counts[i]; });
  moveAll(board);
  showPlots(board);
  showOwnPlots(board.at, http);
  showPoints(board.points);

  $('provider').textContent = kCircuits[circuit] ?? String(circuit);
  $('oldest-job').textContent = board.oldest_job_s === null ? 'none waits' : age(board.oldest_job_s);
  $('leases').textContent = board.leases;
  $('retried').textContent = board.retried;
  $('workers').textContent = board.workers.map(({ name, connections, idle_s: idle }) =>
    // Only a role that may read all statistics is told how long others have been idle.
    `${name}: ${connections} connection${connections === 1 ? '' : 's'}${idle === null ? '' : idle < 1.5 ? ', now' : `, ${Math.round(idle)} s ago`}`).join(' · ') || 'none';

  $('parked-count').textContent = board.parked_count > board.parked.length
    ? `The latest ${board.parked.length} of ${upTo(board.parked_count, 1000)}. completer --list-parked shows all.` : '';
  fillTable('parked', board.parked, 'None.', (each) =>
    [code(`${each.key}…`), each.request, each.user, each.point, each.attempts, each.error]);
  fillTable('unfinished', board.oldest, 'None: everything is finished.', (each) =>
    [code(`${each.key}…`), each.request, each.user, each.point, age(each.age_s),
      each.lease_age_s === null ? 'none' : age(each.lease_age_s), each.attempts, each.error]);
}

// Asks for the board again and again, and shows it. `ask()` gets an answer, or returns null while nobody is signed in.
// `tell(answer)` returns what to say about it. A page in the background asks for nothing, because nobody looks at it.
export function watchBoard(ask, tell) {
  // The pause in milliseconds. With the time that an answer takes, the page asks about once a second.
  const kPace = 900;
  let turn = 0;
  async function look() {
    const mine = ++turn;
    const answer = await ask();
    if (mine !== turn) return answer;
    const { sentence, known } = tell(answer);
    if ($('board-state').textContent !== sentence) $('board-state').textContent = sentence;
    if (known) showBoard(answer.body);
    return answer;
  }
  async function live() {
    const answer = document.hidden ? null : await look();
    setTimeout(live, Math.max(kPace, Math.min(answer?.retryAfter ?? 0, 30) * 1000));
  }
  document.addEventListener('visibilitychange', () => document.hidden || look());
  live();
  return look;
}
