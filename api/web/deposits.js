import { ask, describe, verdict } from './api.js';
import { Submission } from './submission.js';
import { currentUser, lockUser, onUserChange } from './user.js';
import { clock, dollars, element, notice } from './view.js';

const $ = (id) => document.getElementById(id);

// Only ever what the service says.
let balance = null;
// What the balance was before the deposit under way.
let before = null;
// null until the form is ready.
let sending = null;
let told = '';

async function refreshBalance() {
  const user = currentUser();
  const answer = await ask('GET', '/account', { user });
  if (user !== currentUser()) return;
  const known = verdict(answer) === 'success' && Number.isFinite(answer.body.balance);
  balance = known ? answer.body.balance : null;
  $('balance').textContent = dollars(balance);
  $('balance-note').textContent = known ? 'Asked of the service, never reckoned here.' : `Not known now: ${describe(answer)}`;
}

function setBusy(busy) {
  sending = busy;
  $('fields').disabled = busy;
  $('submit').disabled = busy;
  lockUser(busy);
  $('submit').replaceChildren(...(busy ? [element('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Submitting…'] : ['Submit']));
}

// Shows the latest outcome; the one before it goes to the list.
function tell(kind, heading, ...sentences) {
  if (told) {
    $('log').prepend(element('li', {}, told));
    while ($('log').children.length > 30) $('log').lastChild.remove();
  }
  told = `${clock()}  ${heading}`;
  $('status').replaceChildren(notice(kind, heading, ...sentences.map((sentence) => element('p', {}, sentence))));
}

const change = () =>
  before === null || balance === null ? '' : `The balance was ${dollars(before)} and is ${dollars(balance)}.`;

async function tellOutcome(answer, keyed) {
  await refreshBalance();
  const kind = verdict(answer);
  if (kind === 'success' && answer.replayed) {
    tell('warn', 'This was a replay: the balance did not change',
      'The key was used already. The service gave the stored answer of that deposit, byte for byte, and did nothing.',
      `${change()}${before !== null && before !== balance ? ' Others deposited meanwhile.' : ''}`);
  } else if (kind === 'success') {
    tell('good', `Deposited ${dollars(answer.body.deposit?.amount)}`,
      keyed ? 'Its key is used up now: submit again, and see.' : 'Without a key. Submit again, and it is deposited again.', change());
  } else if (answer.body?.code === 'idempotency_key_reused') {
    tell('bad', 'The key belongs to another deposit: the balance did not change',
      'It was used with another amount, so this cannot be a repetition. Take a new key for a new deposit.', change());
  } else if (kind === 'parked') {
    tell('warn', 'A person has to look at this', describe(answer), 'Please do not deposit it again with another key.', change());
  } else if (kind === 'unknown') {
    tell('bad', 'Nobody knows', `${describe(answer)}. Without a key there is no safe way on: sending it again may deposit twice. Look at the balance.`);
  } else {
    tell('bad', 'Not deposited', describe(answer), change());
  }
}

// ---- with a key

// When the outcome came that was told last. What was over before this page began is not told.
let outcome = null;

async function show(state, busy) {
  if (state.fields.amount) $('amount').value = state.fields.amount;
  $('key').textContent = state.key;
  if (!sendingOnce && sending !== busy) setBusy(busy);
  $('now').hidden = true;
  const answer = state.answer ?? state.failure;
  if (state.phase === 'stale') {
    tell('warn', 'This deposit was never answered', 'It was sent too long ago to be sent again safely. Take a new key once you have looked at the balance.');
  }
  if (busy) {
    outcome ??= 0;
    return;
  }
  const isNews = outcome !== null && answer && answer.at !== outcome;
  outcome = answer?.at ?? 0;
  if (isNews) await tellOutcome(answer, true);
}

function pause({ reason, attempts }) {
  $('now').hidden = false;
  $('status').replaceChildren(notice('warn', 'Still trying',
    element('p', {}, `Attempt ${attempts}: ${reason}. The same deposit goes again by itself, with the same key: it cannot be made twice.`)));
}

const submission = new Submission('deposit', '/deposits', { blank: { amount: '25' }, keepsKey: true, onChange: show, onPause: pause });

// ---- without

let sendingOnce = false;

async function sendOnce(fields) {
  sendingOnce = true;
  setBusy(true);
  const answer = await ask('POST', '/deposits', { user: currentUser(), fields });
  await tellOutcome(answer, false);
  sendingOnce = false;
  setBusy(false);
}

// ---- the form

function send(event) {
  event.preventDefault();
  if (sending) return;
  const amount = $('amount');
  amount.setAttribute('aria-invalid', !amount.checkValidity());
  if (!amount.checkValidity()) {
    amount.focus();
    return tell('bad', 'Not sent', `Amount: ${amount.validationMessage}`);
  }
  before = balance;
  const fields = { amount: amount.value };
  if (!$('keyed').checked) return sendOnce(fields);
  setBusy(true);
  submission.submit(currentUser(), fields);
}

$('form').addEventListener('submit', send);
$('amount').addEventListener('input', () => {
  $('amount').removeAttribute('aria-invalid');
  submission.edit({ amount: $('amount').value });
});
$('keyed').addEventListener('change', () => {
  $('key-box').hidden = !$('keyed').checked;
  $('renew').hidden = !$('keyed').checked;
});
$('renew').addEventListener('click', () => submission.renew({ amount: $('amount').value }));
$('now').addEventListener('click', () => submission.sendNow());
onUserChange(refreshBalance);
submission.start();
refreshBalance();
