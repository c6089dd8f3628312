import { ask, describe, uuid, verdict } from './api.js';
import { curl } from './curl.js';
import { mountBoard, stationOf, watchBoard } from './board.js';
import { beginStory, explain, kSent } from './lab_story.js';
import { currentUser, onUserChange } from './user.js';

const $ = (id) => document.getElementById(id);
// The pause in milliseconds before the viewer's own request is looked at again.
const kPace = 900;

// ---- the viewer's own request

// { key, user, fault, fields, tell, unanswered: requests under way, seen: what was last known of it }
let mine = null;
// The key and the fields of the next request.
let next = null;

function prepare() {
  const place = (degrees) => ((Math.random() - 0.5) * degrees).toFixed(2);
  next = { key: uuid(), fields: { origin_lat: place(120), origin_lon: place(360), target_lat: place(120), target_lon: place(360) } };
  preview();
}

// The path and the fields that ask for a fault.
function requestWith(fault, fields) {
  if (fault === 'none') return ['/rides', fields];
  if (fault === 'before') return ['/rides', { ...fields, raise_error: 'true' }];
  return [`/lab/rides/${fault}`, fields];
}

// Shows the next request as a command.
function preview() {
  const [path, fields] = requestWith($('form').elements.fault.value, next.fields);
  $('curl').textContent = curl('POST', path, { user: currentUser(), key: next.key, fields });
}

async function send(path, fields, first) {
  const experiment = mine;
  experiment.unanswered += 1;
  const answer = await ask('POST', path, { ...experiment, fields });
  experiment.unanswered -= 1;
  const label = answer.silence ? 'No answer' : `${answer.status}${answer.replayed ? ', replayed' : ''}`;
  experiment.tell(`${label}.`, explain(answer, first, experiment.fault));
  if (experiment === mine) await watch();
}

function begin(event) {
  event.preventDefault();
  const fault = $('form').elements.fault.value;
  const label = $('form').querySelector('input[name=fault]:checked').closest('label').textContent.trim();
  mine = { ...next, user: currentUser(), fault, seen: null, unanswered: 0, tell: beginStory(`let ${label}`) };
  $('key').textContent = mine.key;
  for (const id of ['point', 'attempts', 'ledger']) $(id).textContent = '–';
  placeOn($('mine'), -1);
  $('retry').disabled = $('hurry').disabled = false;
  mine.tell('Sent.', `${kSent[fault]} The service claims the key first; whoever else comes with it now is told to wait.`);
  prepare();
  const [path, fields] = requestWith(fault, mine.fields);
  return send(path, fields, true);
}

function retry() {
  mine.tell('Retried by hand.', 'The same request with the same key: it goes on where the key says that the last attempt got to.');
  send('/rides', mine.fields, false);
}

async function hurry() {
  const experiment = mine;
  const answer = await ask('POST', `/lab/hurry/${experiment.key}`, { user: experiment.user });
  if (experiment !== mine) return;
  experiment.tell('Two hours pass for this key.', verdict(answer) === 'success'
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
    experiment.tell('Stalled.', 'The card is charged, and the process has come to a stop with the lease in its hands. Nobody else may go on until it wakes, or its lease runs out.');
  }
  if (before && request.completions > before.completions) {
    experiment.tell('The completer took it.', 'Under a new lease, so that whoever held the old one writes nothing any more; and with the same charge key, so that the provider charges no second time.');
  }
  if (request.state === 'finished' && before?.state !== 'finished' && request.completions > 0) {
    experiment.tell('Finished without its client.', 'The answer is stored; retry by hand, as a client that comes back would, and you get it.');
  }
}

// Whether this service lets requests fail on demand.
let faults = false;

function showControls() {
  $('controls').disabled = !faults || !currentUser();
}

function tell(answer) {
  if (!answer) return { sentence: 'Sign in to see it, with a token that has the scope operate.', known: false };
  const known = verdict(answer) === 'success';
  return { sentence: known ? 'Live.' : `Not known now: ${describe(answer)}`, known };
}

async function learnFaults() {
  const answer = await ask('GET', '/lab/faults');
  if (verdict(answer) !== 'success') return setTimeout(learnFaults, kPace);
  faults = answer.body.faults;
  showControls();
  $('no-faults').hidden = faults;
}

async function follow() {
  // A page in the background asks for nothing, because nobody looks at it.
  if (!document.hidden && mine && (mine.unanswered || mine.seen?.state !== 'finished')) await watch();
  setTimeout(follow, kPace);
}

$('form').addEventListener('submit', begin);
$('form').addEventListener('change', preview);
onUserChange(() => {
  preview();
  showControls();
});
$('retry').addEventListener('click', retry);
$('hurry').addEventListener('click', hurry);
if (!currentUser()) $('story').firstElementChild.textContent = 'Nothing yet. To send a request, sign in with an API token at the top of this page.';
prepare();
mountBoard($('shared'));
watchBoard(async () => currentUser() && ask('GET', '/ops/board', { user: currentUser() }), tell);
learnFaults();
follow();
