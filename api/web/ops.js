import { ask, describe, verdict } from './api.js';
import { mountBoard, watchBoard } from './board.js';
import { openOrder, onOrderDone } from './ops_orders.js';
import { showStory, summaryOf } from './ops_story.js';
import { currentUser, onUserChange } from './user.js';
import { element, notice } from './view.js';

// The page of operators.

const $ = (id) => document.getElementById(id);
const kUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

// The key whose story is shown, or null.
let shown = null;
// Grows with each search and each story. Then an answer that is still to come counts no more.
let turn = 0;

const asOperator = (path) => ask('GET', path, { user: currentUser() });

function button(text, name, press) {
  const made = element('button', { type: 'button', 'aria-label': name }, text);
  made.addEventListener('click', press);
  return made;
}

// What can be done about a request.
function choices(request, table) {
  const which = `request ${request.key}…`;
  const all = element('div', { class: 'choices' }, button('Show', `Show ${which}`, () => open(request.id)));
  if (table === 'parked') {
    all.append(button('Resume', `Resume ${which}`, () => openOrder('resume', request.id)),
      button('Close', `Close ${which}`, () => openOrder('close', request.id)));
  }
  return all;
}

// ---- one request

// Shows the story of a key. `quietly`: it was shown before, so the focus stays where it is.
async function open(keyId, quietly = false) {
  const mine = ++turn;
  const answer = await asOperator(`/ops/keys/${keyId}`);
  if (mine !== turn) return;
  if (verdict(answer) !== 'success') {
    shown = null;
    $('story').replaceChildren(notice('bad', 'Not shown', element('p', {}, describe(answer))));
    return;
  }
  shown = keyId;
  if (location.hash !== `#${keyId}`) history.replaceState(null, '', `#${keyId}`);
  showStory($('story'), answer.body.request, {
    again: () => open(keyId),
    resume: () => openOrder('resume', keyId),
    close: () => openOrder('close', keyId),
  });
  if (quietly) return;
  const heading = $('story').querySelector('h3');
  heading.focus();
  heading.scrollIntoView({ block: 'nearest' });
}

// ---- search

function showFound({ requests, more }) {
  const count = requests.length;
  $('found-note').textContent = count
    ? `${more ? `The latest ${count}` : count} request${count === 1 ? '' : 's'}.`
    : 'Nothing is stored under this. The id of a request (X-Request-Id) is only in the log: search the log for request_id.';
  $('found').replaceChildren(...requests.map((request) => element('li', {},
    element('p', {}, summaryOf(request)),
    button('Show', `Show request ${request.key_begins ?? request.key_id}`, () => open(request.key_id)))));
}

async function find(event) {
  event?.preventDefault();
  const text = $('text').value.trim();
  if (!currentUser()) return;
  if (!text) return $('text').focus();
  const mine = ++turn;
  shown = null;
  $('story').replaceChildren();
  $('found').replaceChildren();
  $('found-note').textContent = 'Searching…';
  const answer = await asOperator(`/ops/requests?find=${encodeURIComponent(text)}`);
  if (mine !== turn) return;
  if (verdict(answer) !== 'success') {
    $('found-note').textContent = `Not found out: ${describe(answer)}`;
    return;
  }
  showFound(answer.body);
  if (answer.body.requests.length === 1) await open(answer.body.requests[0].key_id);
}

// ---- the board

function tell(answer) {
  if (!answer) return { sentence: 'Sign in to see it, with a token that has the scope operate.', known: false };
  const known = verdict(answer) === 'success';
  return { sentence: known ? 'Live.' : `Not known now: ${describe(answer)}`, known };
}

mountBoard($('shared'), choices);
const look = watchBoard(async () => currentUser() && asOperator('/ops/board'), tell);

onOrderDone(async ({ message, request }) => {
  const done = notice('good', message, element('p', {}, summaryOf(request)));
  $('done').replaceChildren(done);
  done.querySelector('h2').focus();
  if (shown === request.key_id) open(request.key_id, true);
  await look();
});

function openFromAddress() {
  const keyId = location.hash.slice(1);
  if (kUuid.test(keyId) && keyId !== shown && currentUser()) open(keyId);
}

$('find').addEventListener('submit', find);
window.addEventListener('hashchange', openFromAddress);
onUserChange(() => {
  $('controls').disabled = !currentUser();
  for (const id of ['story', 'found', 'done', 'found-note']) $(id).replaceChildren();
  shown = null;
});
$('controls').disabled = !currentUser();
openFromAddress();
