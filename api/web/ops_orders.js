import { ask, describe, verdict } from './api.js';
import { moneyOf } from './ops_story.js';
import { currentUser } from './user.js';
import { element, facts } from './view.js';

// The box in which an operator resumes or closes a parked request. Both are safe to press twice: the service does each
// once, and says what it did before.

const $ = (id) => document.getElementById(id);

const kDeeds = {
  resume: {
    title: 'Resume this request?',
    warning: 'It is tried again at once, and a charge or refund that is too old to repeat may be sent again. Look at the provider first.',
    note: 'Why (may be left out)',
    button: 'Resume',
  },
  close: {
    title: 'Close this request for good?',
    warning: 'It is never tried again, and its client gets the answer request_closed. A charge that exists is not refunded by this.',
    note: 'Why',
    button: 'Close',
  },
};

// What is asked for: { deed, keyId }. Null while the box is closed.
let order = null;
let listener = () => {};

// Calls back with the answer when an order was carried out, now or before.
export function onOrderDone(callback) {
  listener = callback;
}

function showFault(reason) {
  $('note-fault').textContent = reason;
  if (reason) $('note').setAttribute('aria-invalid', 'true');
  else $('note').removeAttribute('aria-invalid');
}

function setBusy(busy) {
  $('order-submit').disabled = busy;
  $('order-form').setAttribute('aria-busy', busy);
}

export async function openOrder(deed, keyId) {
  const mine = { deed, keyId };
  order = mine;
  const { title, warning, note, button } = kDeeds[deed];
  $('order-title').textContent = title;
  $('note-label').textContent = note;
  $('order-submit').textContent = button;
  $('note').required = deed === 'close';
  $('note').value = '';
  showFault('');
  setBusy(false);
  $('order-about').replaceChildren(element('p', {}, warning));
  $('order').showModal();
  $('note').focus();
  const answer = await ask('GET', `/ops/keys/${keyId}`, { user: currentUser() });
  if (mine !== order) return;
  const known = verdict(answer) === 'success' ? moneyOf(answer.body.request) : [['Its charge', `not known now: ${describe(answer)}`]];
  $('order-about').append(facts([['Key id', keyId], ...known]));
}

async function send(event) {
  event.preventDefault();
  if (!order || $('order-submit').disabled) return;
  const mine = order;
  const note = $('note').value.trim();
  if (mine.deed === 'close' && !note) {
    showFault('Say why.');
    return $('note').focus();
  }
  setBusy(true);
  const answer = await ask('POST', `/ops/keys/${mine.keyId}/${mine.deed}`, { user: currentUser(), fields: { note } });
  if (mine !== order) return;
  setBusy(false);
  if (verdict(answer) !== 'success') {
    const again = verdict(answer) === 'unknown' ? ' It is safe to press again.' : '';
    showFault(`${describe(answer)}${again}`);
    return $('order-submit').focus();
  }
  $('order').close();
  listener(answer.body);
}

$('order-form').addEventListener('submit', send);
$('order-cancel').addEventListener('click', () => $('order').close());
$('order').addEventListener('close', () => { order = null; });
$('note').addEventListener('input', () => showFault(''));
