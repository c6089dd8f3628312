import { describe } from './api.js';
import { Submission } from './submission.js';
import { currentUser, lockUser, onUserChange } from './user.js';
import { clock, code, element, facts, notice } from './view.js';

const $ = (id) => document.getElementById(id);
const names = ['origin_lat', 'origin_lon', 'target_lat', 'target_lon'];
const blank = { origin_lat: '37.77', origin_lon: '-122.42', target_lat: '51.51', target_lon: '-0.13' };

// ---- the map

const kEarthRadius = 6371;
let end = 'origin';

function point(which) {
  const [lat, lon] = [$(`${which}_lat`), $(`${which}_lon`)].map((input) => input.valueAsNumber);
  const known = Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
  return known ? { lat, lon, x: lon + 180, y: 90 - lat } : null;
}

function kilometres(a, b) {
  const [latA, latB, turn] = [a.lat, b.lat, b.lon - a.lon].map((degrees) => (degrees * Math.PI) / 180);
  const half = Math.sin((latB - latA) / 2) ** 2 + Math.cos(latA) * Math.cos(latB) * Math.sin(turn / 2) ** 2;
  return 2 * kEarthRadius * Math.asin(Math.sqrt(Math.min(1, half)));
}

function drawMap() {
  const ends = { origin: point('origin'), target: point('target') };
  for (const [which, place] of Object.entries(ends)) {
    for (const part of ['pin', 'label']) $(`${which}-${part}`).toggleAttribute('hidden', !place);
    if (!place) continue;
    $(`${which}-pin`).setAttribute('cx', place.x);
    $(`${which}-pin`).setAttribute('cy', place.y);
    $(`${which}-label`).setAttribute('x', Math.min(Math.max(place.x, 12), 348));
    $(`${which}-label`).setAttribute('y', place.y > 14 ? place.y - 7 : place.y + 12);
  }
  const { origin, target } = ends;
  if (origin && target) {
    const lift = Math.min(60, Math.abs(target.x - origin.x) / 3 + 6);
    const top = Math.max(2, Math.min(origin.y, target.y) - lift);
    $('flight').setAttribute('d', `M${origin.x} ${origin.y}Q${(origin.x + target.x) / 2} ${top} ${target.x} ${target.y}`);
  } else {
    $('flight').removeAttribute('d');
  }
  $('distance').textContent = origin && target ? `${Math.round(kilometres(origin, target)).toLocaleString('en-US')} km` : '';
}

function pick(event) {
  if ($('fields').disabled) return;
  const box = $('map').getBoundingClientRect();
  const place = (part, size, degrees) => ((part / size) * degrees - degrees / 2).toFixed(2);
  $(`${end}_lon`).value = place(event.clientX - box.left, box.width, 360);
  $(`${end}_lat`).value = -place(event.clientY - box.top, box.height, 180);
  end = end === 'origin' ? 'target' : 'origin';
  $('next-end').textContent = end === 'origin' ? 'where from' : 'where to';
  typed();
}

// ---- the form

function fields() {
  const typedIn = Object.fromEntries(names.map((name) => [name, $(name).value]));
  return $('raise_error').checked ? { ...typedIn, raise_error: 'true' } : typedIn;
}

function typed() {
  for (const name of names) $(name).removeAttribute('aria-invalid');
  drawMap();
  submission.edit(fields());
}

function fill(stored) {
  for (const name of names) {
    const value = Number.isFinite(Number(stored[name])) ? stored[name] : '';
    if ($(name).value !== value) $(name).value = value;
  }
  $('raise_error').checked = stored.raise_error === 'true';
  drawMap();
}

// The first field that is not right, with its reason said aloud; or none.
function mistake() {
  const wrong = names.map($).find((input) => !input.checkValidity());
  if (!wrong) return null;
  wrong.setAttribute('aria-invalid', 'true');
  wrong.focus();
  return `${document.querySelector(`label[for=${wrong.id}]`).textContent}: ${wrong.validationMessage}`;
}

function send(event) {
  event.preventDefault();
  if ($('submit').disabled) return;
  const wrong = mistake();
  if (wrong) return say(notice('bad', 'Something is missing', element('p', {}, wrong)));
  // Before anything else can happen, so that a second click finds nothing to press.
  acting = true;
  setBusy(true);
  submission.submit(currentUser(), fields());
}

function setBusy(busy) {
  $('fields').disabled = busy;
  $('submit').disabled = busy;
  lockUser(busy);
  $('submit').replaceChildren(...(busy ? [element('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Requesting…'] : ['Request ride']));
  $('form').setAttribute('aria-busy', busy);
}

// ---- what is said

// This tab sent the request, so the focus may go to its outcome.
let acting = false;
let said = '';
let ticking = 0;

// Says a thing once: screen readers read whatever changes.
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
  done({ answer }) {
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

function show(state, busy) {
  clearInterval(ticking);
  $('countdown').textContent = '';
  $('now').hidden = true;
  setBusy(busy || state.phase !== 'draft');
  if (state.phase !== 'sent' && !busy) {
    $('submit').textContent = 'Request ride';
    $('form').setAttribute('aria-busy', false);
  }
  fill(state.fields);
  $('key').textContent = state.key;
  say(...outcomes[state.phase](state));
  $('another').hidden = busy || !['done', 'parked', 'stale'].includes(state.phase);
  $('ask').hidden = busy || state.phase !== 'parked';
  if (state.phase === 'sent' && state.attempts > 0 && attempted !== `${state.key} ${state.attempts}`) {
    attempted = `${state.key} ${state.attempts}`;
    log(state.attempts === 1 ? 'Sent.' : `Sent again, attempt ${state.attempts}, with the same key.`);
  }
  if (busy) return;
  if (acting) {
    acting = false;
    log(state.phase === 'done' ? `Booked${state.answer.replayed ? ' before; the stored answer' : ''}.` : 'Ended without a ride.');
    $('status').querySelector('h2')?.focus();
  }
}
let attempted = '';

function pause({ reason, until }) {
  log(`No answer that counts: ${reason}`);
  $('now').hidden = false;
  clearInterval(ticking);
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
onUserChange(() => {});
submission.start();
