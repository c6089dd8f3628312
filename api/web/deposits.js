import { fault, wholeDollars } from './amounts.js';
import { ask, describe, verdict } from './api.js';
import { curl } from './curl.js';
import { reading } from './reading.js';
import { Submission } from './submission.js';
import { currentUser, lockUser, onUserChange } from './user.js';
import { clock, dollars, element, notice } from './view.js';

const $ = (id) => document.getElementById(id);

// The balance that the service told last. Never calculated here.
let balance = null;
// The balance before the deposit that is under way.
let before = null;
// Whether a deposit with a key is under way. null until the form is ready.
let sending = null;
// How many deposits without a key are under way.
let unkeyed = 0;
let told = '';

const refreshBalance = reading(
  async () => {
    const user = currentUser();
    return { ...await ask('GET', '/account', { user }), user };
  },
  (answer) => {
    if (answer.user !== currentUser()) return;
    const known = verdict(answer) === 'success' && Number.isFinite(answer.body.balance);
    balance = known ? answer.body.balance : null;
    $('balance').textContent = dollars(balance);
    $('balance-note').textContent = known ? 'Asked of the service, never reckoned here.' : `Not known now: ${describe(answer)}`;
  });

function setBusy(busy) {
  sending = busy;
  $('fields').disabled = busy || !currentUser();
  $('submit').disabled = busy;
  showWork();
}

// Without a key, several deposits may be under way at once, and each press of the button makes one more.
function showWork() {
  const working = sending || unkeyed > 0;
  lockUser('deposit', working);
  $('submit').replaceChildren(...(working ? [element('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Submitting…'] : ['Submit']));
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
    const made = answer.body.deposit ?? {};
    tell('good', `Deposited ${dollars(made.amount)}`, ...(keyed ? ['Its key is used up now: submit again, and see.', change()]
      : ['Without a key. Submit again, and it is deposited again.', `It brought the balance to ${dollars(made.balance)}.`]));
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

// The time of the outcome that was told last. An outcome from before this page was loaded is not told.
let outcome = null;

async function show(state, busy) {
  if (state.fields.amount) $('amount').value = state.fields.amount;
  $('key').textContent = state.key;
  preview();
  if (sending !== busy) setBusy(busy);
  $('now').hidden = true;
  const answer = state.answer ?? state.failure;
  if (state.phase === 'stale') {
    tell('warn', 'This deposit was never answered', 'It was sent too long ago to be sent again safely. Take a new key once you have looked at the balance.');
  }
  if (state.phase === 'unknown') {
    tell('warn', 'Nobody knows whether this was deposited', 'There was no answer, and now the service refuses your token. Sign in with another token of yours, and look at the balance before you deposit again.');
  }
  if (busy) {
    outcome ??= 0;
    return;
  }
  const isNews = outcome !== null && answer && answer.at !== outcome;
  outcome = answer?.at ?? 0;
  if (isNews) await tellOutcome(answer, true);
}

function pause({ reason, attempts, offline }) {
  $('now').hidden = false;
  if (offline) {
    return $('status').replaceChildren(notice('warn', 'You are offline',
      element('p', {}, 'The deposit goes by itself once the network is back, with the same key: it cannot be made twice.')));
  }
  $('status').replaceChildren(notice('warn', 'Still trying',
    element('p', {}, `Attempt ${attempts}: ${reason}. The same deposit goes again by itself, with the same key: it cannot be made twice.`)));
}

const submission = new Submission('deposit', '/deposits', { blank: { amount: '25' }, keepsKey: true, onChange: show, onPause: pause });

// ---- without a key

async function sendOnce(fields) {
  unkeyed += 1;
  showWork();
  const answer = await ask('POST', '/deposits', { user: currentUser(), fields });
  await tellOutcome(answer, false);
  unkeyed -= 1;
  showWork();
}

// ---- the form

function send(event) {
  event.preventDefault();
  if (sending || !currentUser()) return;
  const amount = $('amount');
  const reason = fault(amount.value);
  showFault(reason);
  if (reason) {
    amount.focus();
    return tell('bad', 'Not sent', `Amount: ${reason}`);
  }
  before = balance;
  const fields = { amount: wholeDollars(amount.value) };
  if (!$('keyed').checked) return sendOnce(fields);
  setBusy(true);
  submission.submit(currentUser(), fields);
}

function showFault(reason) {
  const amount = $('amount');
  if (reason) amount.setAttribute('aria-invalid', 'true');
  else amount.removeAttribute('aria-invalid');
  $('amount-fault').textContent = reason ?? '';
  $('amount-fault').hidden = !reason;
}

// Shows the request as a command.
function preview() {
  const amount = $('amount').value;
  const key = $('keyed').checked ? $('key').textContent : null;
  $('curl').textContent = fault(amount) ? 'Nothing yet: fill in the form first.'
    : curl('POST', '/deposits', { user: currentUser(), key, fields: { amount: wholeDollars(amount) } });
}

$('form').addEventListener('submit', send);
$('amount').addEventListener('input', () => {
  showFault(null);
  submission.edit({ amount: $('amount').value });
  preview();
});
$('keyed').addEventListener('change', () => {
  $('key-box').hidden = !$('keyed').checked;
  $('renew').hidden = !$('keyed').checked;
  preview();
});
$('renew').addEventListener('click', () => submission.renew({ amount: $('amount').value }));
$('now').addEventListener('click', () => submission.sendNow());
onUserChange(() => {
  setBusy(sending);
  preview();
  refreshBalance();
});
submission.start();
refreshBalance();
