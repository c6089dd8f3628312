import { ask, describe, verdict } from './api.js';
import { forgetToken, idOf, keepToken } from './token.js';
import { currentUser, onRefusal } from './user.js';
import { code } from './view.js';

// Signing in with an API token, and signing out.

const $ = (id) => document.getElementById(id);
// Grows when the box is closed. Then an answer that is still to come counts no more.
let turn = 0;

function showUser() {
  const user = currentUser();
  $('who').replaceChildren(...(user ? ['Token ', code(user)] : ['Not signed in']));
  $('open-sign-in').hidden = user !== null;
  $('sign-out').hidden = user === null;
}

function showFault(reason) {
  $('token-fault').textContent = reason;
  if (reason) $('token').setAttribute('aria-invalid', 'true');
  else $('token').removeAttribute('aria-invalid');
}

// Returns what is wrong with a text that cannot be a token. Never tells the text itself.
function fault(text) {
  if (text === '') return 'The token is missing.';
  if (idOf(text)) return null;
  return 'This is no token. A token is rr_, 12 letters or digits, _, and 49 letters or digits.';
}

function open(reason = '') {
  showFault(reason);
  if (!$('sign-in').open) $('sign-in').showModal();
}

function close() {
  turn += 1;
  $('token').value = '';
  setBusy(false);
  showFault('');
}

function setBusy(busy) {
  $('token-submit').disabled = busy;
  $('sign-in-form').setAttribute('aria-busy', busy);
}

function refuse(reason) {
  showFault(reason);
  $('token').focus();
}

async function signIn(event) {
  event.preventDefault();
  if ($('token-submit').disabled) return;
  const token = $('token').value.trim();
  const wrong = fault(token);
  if (wrong) return refuse(wrong);
  const mine = turn;
  setBusy(true);
  const answer = await ask('GET', '/account', { token });
  if (mine !== turn) return;
  setBusy(false);
  // A token may lack the scope to read an account, and still be good for a ride.
  const good = verdict(answer) === 'success' || answer.status === 403;
  if (!good) return refuse(verdict(answer) === 'unknown' ? `Not checked, so please try again: ${describe(answer)}` : describe(answer));
  if (!keepToken(token)) return refuse('This browser keeps nothing for a tab, so nobody can sign in with it.');
  location.reload();
}

function signOut() {
  forgetToken();
  location.reload();
}

$('open-sign-in').addEventListener('click', () => open());
$('sign-in-form').addEventListener('submit', signIn);
$('token').addEventListener('input', () => showFault(''));
$('token-cancel').addEventListener('click', () => $('sign-in').close());
$('sign-in').addEventListener('close', close);
$('sign-out').addEventListener('click', signOut);
onRefusal((reason) => {
  showUser();
  open(`You are signed out: ${reason}`);
});
showUser();
// Only now does a click do something.
$('open-sign-in').disabled = false;
