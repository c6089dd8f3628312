import { describe } from './api.js';
import { decimal, fault, pair } from './coordinates.js';
import { curl } from './curl.js';
import { drawMap, placeAt } from './map.js';
import { cancelRide, onRides, refreshRides, rideKnown } from './rides.js';
import { Submission } from './submission.js';
import { currentUser, lockUser, onUserChange } from './user.js';
import { clock, code, element, facts, notice } from './view.js';

const $ = (id) => document.getElementById(id);
const names = ['origin_lat', 'origin_lon', 'target_lat', 'target_lon'];
const blank = { origin_lat: '37.77', origin_lon: '-122.42', target_lat: '51.51', target_lon: '-0.13' };

// ---- the map

let end = 'origin';

// null while the fields hold no place.
function placeOf(which) {
  const inputs = [$(`${which}_lat`), $(`${which}_lon`)];
  if (inputs.some(faultOf)) return null;
  const [lat, lon] = inputs.map((input) => Number(decimal(input.value)));
  return { lat, lon };
}

function pick(event) {
  if ($('fields').disabled) return;
  const { lat, lon } = placeAt(event);
  $(`${end}_lat`).value = lat;
  $(`${end}_lon`).value = lon;
  end = end === 'origin' ? 'target' : 'origin';
  $('next-end').textContent = end === 'origin' ? 'where from' : 'where to';
  typed();
}

// ---- the form

const faultOf = (input) => fault(input.value, Number(input.dataset.limit));

function fields() {
  const typedIn = Object.fromEntries(names.map((name) => [name, $(name).value]));
  return $('raise_error').checked ? { ...typedIn, raise_error: 'true' } : typedIn;
}

// The fields that are sent, with the numbers as the service takes them.
function request() {
  return { ...fields(), ...Object.fromEntries(names.map((name) => [name, decimal($(name).value)])) };
}

// A pasted pair fills both fields of its end.
function paste(event) {
  const input = event.target;
  const both = names.includes(input.id) && pair(event.clipboardData?.getData('text/plain') ?? '');
  if (!both) return;
  event.preventDefault();
  const which = input.id.split('_')[0];
  [$(`${which}_lat`).value, $(`${which}_lon`).value] = both;
  typed();
}

const swapped = (values) => ({
  origin_lat: values.target_lat, origin_lon: values.target_lon, target_lat: values.origin_lat, target_lon: values.origin_lon });

function swap() {
  const turned = swapped(fields());
  for (const name of names) $(name).value = turned[name];
  typed();
}

// Shows what is typed: on the map, and as a command.
function preview() {
  drawMap(placeOf('origin'), placeOf('target'));
  const ready = !names.map($).some(faultOf);
  $('curl').textContent = ready ? curl('POST', '/rides', { user: currentUser(), key: $('key').textContent, fields: request() })
    : 'Nothing yet: fill in the form first.';
}

function typed() {
  for (const name of names) {
    $(name).removeAttribute('aria-invalid');
    $(`${name}-fault`).hidden = true;
  }
  preview();
  submission.edit(fields());
}

function fill(stored) {
  for (const name of names) {
    const value = stored[name] ?? '';
    if ($(name).value !== value) $(name).value = value;
  }
  $('raise_error').checked = stored.raise_error === 'true';
}

// Shows the reason at the first field that is not right. Returns a notice with the reason, or null if all fields are
// right.
function mistake() {
  const wrong = names.map($).find(faultOf);
  if (!wrong) return null;
  const reason = faultOf(wrong);
  $(`${wrong.id}-fault`).textContent = reason;
  $(`${wrong.id}-fault`).hidden = false;
  wrong.setAttribute('aria-invalid', 'true');
  wrong.focus();
  return notice('bad', wrong.value.trim() ? 'Something is not right' : 'Something is missing',
    element('p', {}, `${document.querySelector(`label[for=${wrong.id}]`).textContent}: ${reason}`));
}

function send(event) {
  event.preventDefault();
  if ($('submit').disabled) return;
  const wrong = mistake();
  if (wrong) return say(wrong);
  // Do this before anything else, so that a second click finds nothing to press.
  acting = true;
  setBusy(true);
  submission.submit(currentUser(), request());
}

function setBusy(busy) {
  $('fields').disabled = busy;
  $('submit').disabled = busy;
  lockUser('ride', busy);
  $('submit').replaceChildren(...(busy ? [element('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Requesting…'] : ['Request ride']));
  $('form').setAttribute('aria-busy', busy);
}

// ---- messages

// This tab sent the request, so the focus may go to its outcome.
let acting = false;
let said = '';
let ticking = 0;

// Shows a message only if it is new, because screen readers read whatever changes.
function say(...content) {
  const text = content.map((part) => part.textContent).join();
  if (text !== said) $('status').replaceChildren(...content);
  said = text;
}

function log(text) {
  $('log').prepend(element('li', {}, element('time', {}, clock()), text));
  while ($('log').children.length > 30) $('log').lastChild.remove();
}

function ride(body) {
  const made = body?.ride ?? {};
  return facts([
    ['Ride', code(made.id)],
    ['From', `${made.origin_lat}, ${made.origin_lon}`],
    ['To', `${made.target_lat}, ${made.target_lon}`],
    ['Charge', code(made.stripe_charge_id)],
    ['Booked', new Date(made.created_at).toLocaleString()],
  ]);
}

const outcomes = {
  draft({ failure }) {
    if (!failure && !currentUser()) {
      return [element('p', { class: 'quiet' }, 'To book a ride, sign in with an API token at the top of this page.')];
    }
    if (!failure) {
      return [element('p', { class: 'quiet' }, 'Ready. The key below was made for this ride, and is sent with it, however often that takes.')];
    }
    return [notice('bad', 'No ride was booked', element('p', {}, describe(failure)),
      element('p', {}, failure.body?.code === 'idempotency_key_reused'
        ? 'An earlier request with other places had the same key, and may have been booked: ask before you try again.'
        : 'That is final, and nothing was charged. The form has a new key; you can try again.'))];
  },
  sent({ attempts }) {
    return [notice('warn', attempts > 1 ? 'Still trying' : 'On its way',
      element('p', {}, attempts > 1
        ? 'There is no answer yet, so nobody knows whether the ride is booked. The same request goes again with the same key: it cannot be charged twice.'
        : 'You may close this page or lose the network: it goes on from here when you return.'))];
  },
  unknown() {
    return [notice('warn', 'Nobody knows whether your ride is booked', element('p', {},
      'There was no answer, and now the service refuses your token. Sign in with another token of yours, and look at your rides before you book again. Support finds the request by the key below.'))];
  },
  done({ answer }) {
    const known = rideKnown(answer.body?.ride?.id);
    if (known?.state === 'cancelled') {
      return [notice('warn', 'Your ride is cancelled', element('p', {}, 'It was booked, and its charge was refunded since.'), ride(answer.body),
        facts([['Refund', code(known.stripe_refund_id)]]))];
    }
    const text = typeof answer.body?.message === 'string' ? answer.body.message : 'Your ride is booked.';
    return [notice('good', 'Your ride is booked', element('p', {}, text),
      ...(answer.replayed ? [element('p', {}, 'An earlier attempt had booked it already; this is the stored answer.')] : []), ride(answer.body))];
  },
  parked({ answer }) {
    return [notice('warn', 'A person has to look at this', element('p', {}, describe(answer)),
      element('p', {}, 'Please do not book it again; give support the key below.'))];
  },
  stale({ since }) {
    return [notice('warn', 'This request was never answered', element('p', {},
      `It was first sent on ${new Date(since).toLocaleString()}. That is too long ago to send it again safely. Ask support whether it was booked; they need the key below.`))];
  },
};

const endings = {
  done: ({ answer }) => `Booked${answer.replayed ? ' before; the stored answer' : ''}.`,
  unknown: () => 'Ended without an answer.',
};

function show(state, busy) {
  clearInterval(ticking);
  $('countdown').textContent = '';
  $('now').hidden = true;
  setBusy(busy || state.phase !== 'draft' || !currentUser());
  if (!busy) {
    $('submit').textContent = 'Request ride';
    $('form').setAttribute('aria-busy', false);
  }
  fill(state.fields);
  $('key').textContent = state.key;
  preview();
  say(...outcomes[state.phase](state));
  shown = state;
  const booked = !busy && state.phase === 'done';
  $('return').hidden = !booked || !currentUser();
  $('cancel').hidden = !booked || !currentUser() || !rideOf(state) || rideKnown(rideOf(state))?.state === 'cancelled';
  $('another').hidden = busy || !currentUser() || !['done', 'parked', 'stale'].includes(state.phase);
  $('ask').hidden = busy || !currentUser() || state.phase !== 'parked';
  if (state.phase === 'sent' && state.attempts > 0 && attempted !== `${state.key} ${state.attempts}`) {
    attempted = `${state.key} ${state.attempts}`;
    log(state.attempts === 1 ? 'Sent.' : `Sent again, attempt ${state.attempts}, with the same key.`);
  }
  if (busy) return;
  if (state.phase === 'done' && listed !== state.key) {
    listed = state.key;
    refreshRides();
  }
  if (acting) {
    acting = false;
    log(endings[state.phase]?.(state) ?? 'Ended without a ride.');
    $('status').querySelector('h2')?.focus();
  }
}
let attempted = '';
let listed = '';
let shown = null;

const rideOf = (state) => state?.answer?.body?.ride?.id;

function pause({ reason, until, offline }) {
  $('now').hidden = false;
  clearInterval(ticking);
  $('countdown').textContent = '';
  if (offline) {
    return say(notice('warn', 'You are offline', element('p', {},
      'The request goes by itself once the network is back, with the same key: it cannot be charged twice. You may close this page meanwhile.')));
  }
  log(`No answer that counts: ${reason}`);
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    $('countdown').textContent = left > 0 ? `The same request goes again in ${left} s.` : '';
  };
  tick();
  ticking = setInterval(tick, 250);
}

const submission = new Submission('ride', '/rides', { blank, onChange: show, onPause: pause, firstOnly: 'raise_error' });

$('form').addEventListener('submit', send);
$('form').addEventListener('input', typed);
$('form').addEventListener('paste', paste);
$('map').addEventListener('click', pick);
$('now').addEventListener('click', () => submission.sendNow());
$('ask').addEventListener('click', () => {
  acting = true;
  submission.askAgain();
});
$('another').addEventListener('click', () => {
  submission.renew();
  $('origin_lat').focus();
});
$('return').addEventListener('click', () => {
  submission.renew(swapped(shown.fields));
  $('submit').focus();
});
$('swap').addEventListener('click', swap);
$('cancel').addEventListener('click', () => cancelRide(rideOf(shown)));
onUserChange(preview);
onRides(() => shown?.phase === 'done' && show(shown, false));
submission.start();
