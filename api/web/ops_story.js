import { age } from './board.js';
import { code, element, facts } from './view.js';

// The story of one request, for operators.

// One sentence about a request, of a list or of a story.
export function summaryOf(request) {
  const { method, path, state, point, ride_id: ride = request.ride?.id, user_id: user, created_at: created } = request;
  const what = method ? `${method} ${path}` : 'a request whose key is gone';
  const where = state === 'finished' || state === 'closed' || !point ? state : `${state.replace('_', ' ')} at ${point}`;
  return `${what} by user ${user}: ${where}${ride ? `, ride ${ride}` : ''}, asked ${time(created)}`;
}

const time = (text) => (text ? new Date(text).toLocaleString() : '–');

const kWhat = {
  asked: 'Asked',
  ride_created: 'Ride created',
  finished: 'Finished',
  released: 'Let go, to be tried again',
  parked: 'Parked for a person',
  lost: 'Lost: the attempt died, or lost its lease',
  resumed: 'Resumed by an operator',
  closed: 'Closed by an operator',
  refund_prepared: 'Refund prepared',
  refunded: 'Refunded',
  job_staged: 'Job staged; it waits for the enqueuer',
};

function event({ at, what, point, attempt, process, host, detail }) {
  const more = [point && `at ${point}`, attempt && `attempt ${attempt}`, process && `${process}${host ? ` on ${host}` : ''}`].filter(Boolean);
  return element('li', {},
    element('time', { datetime: at }, time(at)),
    element('strong', {}, kWhat[what] ?? what),
    more.length ? ` (${more.join(', ')})` : '',
    detail ? `: ${detail}` : '');
}

// What is known of the money.
export function moneyOf({ ride, refund, deposit_id: deposit }) {
  const all = [];
  if (ride) {
    all.push(['Ride', `${ride.id}, ${ride.price_cents} cents`]);
    all.push(['Charge', ride.charge_id ? code(ride.charge_id) : 'None is recorded. The provider may have one of this ride: look there.']);
    all.push(['Charge key', code(ride.charge_key)]);
  }
  if (refund) all.push(['Refund', refund.refund_id ? code(refund.refund_id) : 'Asked for, not certain.']);
  if (deposit) all.push(['Deposit', deposit]);
  return all;
}

export function showStory(place, request, { again, resume, close }) {
  const button = (text, press, kind = '') => {
    const made = element('button', { type: 'button', class: kind }, text);
    made.addEventListener('click', press);
    return made;
  };
  const { state, point } = request;
  const lease = request.lease_age_s ?? null;
  const known = [
    ['Key id', code(request.key_id)],
    ['Key begins', code(request.key_begins ?? '–')],
    ['User', request.user_id],
    ['State', `${state.replace('_', ' ')}${point ? ` at ${point}` : ''}${lease === null ? '' : `, leased for ${age(lease)}`}`],
    ['Asked with', code(JSON.stringify(request.params ?? {}))],
    ['Attempts', `${request.attempts ?? '–'}, of which ${request.completions ?? '–'} by completers`],
    ...(request.status ? [['Answer', request.status]] : []),
    ...(request.error ? [['Last error', request.error]] : []),
    ...moneyOf(request),
    ...request.jobs.map((job) => ['Job waits', `${job.name} ${job.job_id}`]),
    ...request.operators.map((deed) => ['Operator', `${deed.operator}: ${deed.action === 'key_closed' ? 'closed' : 'resumed'} ${time(deed.at)}${deed.note ? `: ${deed.note}` : ''}`]),
  ];
  place.replaceChildren(
    element('h3', { tabindex: '-1' }, request.method ? `${request.method} ${request.path}, ${state.replace('_', ' ')}` : 'The key is gone, its ride is there'),
    facts(known),
    element('div', { class: 'buttons' },
      ...(state === 'parked' ? [button('Resume…', resume, 'main'), button('Close…', close)] : []),
      button('Look again', again)),
    element('h4', {}, 'What happened'),
    element('ol', { class: 'log', 'aria-label': 'What happened' }, ...request.timeline.map(event)));
}
