import { ask, describe, verdict } from './api.js';
import { reading } from './reading.js';
import { Submission } from './submission.js';
import { currentUser, lockUser, onUserChange } from './user.js';
import { clock, code, element, notice } from './view.js';

// "My rides": shows the latest rides with the states that the service told, and cancels them.

const $ = (id) => document.getElementById(id);
const kRows = 5;
const kMostRows = 100;
// The pause in milliseconds while the state of a ride is about to change. It grows each time that nothing has changed.
const kFirstPace = 2000;
const kLongestPace = 60_000;

const states = {
  unfinished: 'not finished yet',
  not_charged: 'not charged',
  charged: 'paid',
  cancelling: 'being cancelled',
  cancelled: 'cancelled and refunded',
};

let rides = [];
let next = null;
let listeners = [];

// What the service last said about this ride; undefined if the ride is not among those that are shown.
export const rideKnown = (id) => rides.find((ride) => ride.id === id);

export function onRides(listener) {
  listeners = [...listeners, listener];
}

// ---- the list

const number = (value) => (Number.isFinite(value) ? value : String(value));

function row(ride) {
  const item = element('li', {},
    element('p', {}, element('strong', {}, `Ride ${ride.id}`), ` ${states[ride.state] ?? ride.state}`),
    element('p', { class: 'quiet' }, `${number(ride.origin_lat)}, ${number(ride.origin_lon)} → ${number(ride.target_lat)}, ${number(ride.target_lon)}`),
    element('p', { class: 'quiet' }, new Date(ride.created_at).toLocaleString(), ...(ride.stripe_refund_id ? [' · refund ', code(ride.stripe_refund_id)] : [])));
  if (ride.state === 'charged') {
    const button = element('button', { type: 'button', 'data-ride': ride.id, 'aria-label': `Cancel ride ${ride.id}` }, 'Cancel');
    button.addEventListener('click', () => cancelRide(ride.id));
    item.append(button);
  }
  return item;
}

let drawn = '';

function draw(note) {
  $('rides-note').textContent = note;
  $('rides-note').hidden = note === '';
  $('older').hidden = next === null;
  // Draw again only after a change, and then keep the focus on the same button.
  if (JSON.stringify(rides) !== drawn) {
    drawn = JSON.stringify(rides);
    const focused = document.activeElement?.dataset?.ride;
    $('rides').replaceChildren(...rides.map(row));
    if (focused) $('rides').querySelector(`[data-ride="${CSS.escape(focused)}"]`)?.focus();
  }
  for (const button of $('rides').querySelectorAll('button')) button.disabled = busy;
  for (const listener of listeners) listener();
}

const page = (answer) => verdict(answer) === 'success' && Array.isArray(answer.body.rides);

let soon = 0;
let pace = kFirstPace;

export const refreshRides = reading(
  async () => {
    const user = currentUser();
    const limit = Math.min(Math.max(kRows, rides.length), kMostRows);
    return { ...await ask('GET', `/rides?limit=${limit}`, { user }), user };
  },
  (answer) => {
    if (answer.user !== currentUser()) return;
    if (!page(answer)) return draw(`Not known now: ${describe(answer)}`);
    rides = answer.body.rides;
    next = answer.body.next_cursor;
    pace = JSON.stringify(rides) === drawn ? Math.min(pace * 2, kLongestPace) : kFirstPace;
    draw(rides.length ? '' : 'None yet.');
    clearTimeout(soon);
    const moving = rides.some(({ state }) => ['unfinished', 'cancelling'].includes(state));
    if (moving) soon = setTimeout(() => document.hidden || refreshRides(), pace);
  });

async function older() {
  const user = currentUser();
  const answer = await ask('GET', `/rides?limit=${kRows}&cursor=${encodeURIComponent(next)}`, { user });
  if (user !== currentUser()) return;
  if (!page(answer)) return draw(`Not known now: ${describe(answer)}`);
  const known = new Set(rides.map(({ id }) => id));
  rides = [...rides, ...answer.body.rides.filter(({ id }) => !known.has(id))];
  next = answer.body.next_cursor;
  draw('');
}

// ---- cancelling a ride

let busy = false;
// This tab asked for the cancellation, so the focus may go to its outcome.
let acting = false;
// False until a cancellation is under way. An outcome from before this page was loaded is not told.
let news = false;

const said = {
  draft: ({ failure, fields }) => failure && notice('bad', `Ride ${fields.ride} was not cancelled`, element('p', {}, describe(failure))),
  sent: ({ attempts, fields }) => notice('warn', `Cancelling ride ${fields.ride}`, element('p', {}, attempts > 1
    ? 'There is no answer yet. The same request goes again by itself, with the same key: it is refunded once.'
    : 'You may close this page or lose the network: it goes on from here when you return.')),
  unknown: ({ fields, key }) => notice('warn', `Nobody knows whether ride ${fields.ride} is cancelled`,
    element('p', {}, 'There was no answer, and now the service refuses your token. Sign in with another token of yours: the list below says how the ride stands. Support finds the request by this key: ', code(key))),
  done: ({ answer, fields }) => notice('good', `Ride ${fields.ride} is cancelled`, element('p', {},
    'The refund is on its way: ', code(answer.body?.ride?.stripe_refund_id), '.')),
  parked: ({ answer, key }) => notice('warn', 'A person has to look at this', element('p', {}, describe(answer)),
    element('p', {}, 'Give support this key: ', code(key))),
  stale: ({ fields }) => notice('warn', `Nobody answered whether ride ${fields.ride} is cancelled`,
    element('p', {}, 'That was too long ago to send it again. The list below says how it stands; you may cancel it again.')),
};

function show(state, isBusy) {
  busy = isBusy;
  lockUser('cancellation', busy);
  $('cancel').disabled = busy;
  $('cancel-now').hidden = true;
  news ||= busy;
  const content = news && said[state.phase](state);
  const text = content ? content.textContent : '';
  if (text !== $('cancellation').textContent) $('cancellation').replaceChildren(...(content ? [content] : []));
  draw($('rides-note').textContent);
  if (busy || !news) return;
  refreshRides();
  if (!acting) return;
  acting = false;
  $('cancellation').querySelector('h2')?.focus();
}

function pause({ offline, reason }) {
  $('cancel-now').hidden = false;
  $('cancellation').replaceChildren(notice('warn', offline ? 'You are offline' : 'Still trying to cancel', element('p', {}, offline
    ? 'The cancellation goes by itself once the network is back.'
    : `${clock()}: ${reason}. The same request goes again by itself, with the same key: it is refunded once.`)));
}

const cancellation = new Submission('cancellation', ({ ride }) => `/rides/${encodeURIComponent(ride)}`,
  { method: 'DELETE', blank: { ride: '' }, onChange: show, onPause: pause });

export function cancelRide(id) {
  if (busy || !currentUser()) return;
  acting = true;
  const fields = { ride: String(id) };
  cancellation.renew(fields);
  cancellation.submit(currentUser(), fields);
}

$('older').addEventListener('click', older);
$('cancel-now').addEventListener('click', () => cancellation.sendNow());
document.addEventListener('visibilitychange', () => document.hidden || refreshRides());
onUserChange(() => {
  rides = [];
  next = null;
  drawn = '';
  refreshRides();
});
cancellation.start();
refreshRides();
