import { describe, verdict } from './api.js';
import { clock, element } from './view.js';

// The story of the laboratory: what happened to each request. Each request has its own heading, and the latest comes
// first.

const $ = (id) => document.getElementById(id);
const kMostRequests = 12;
let requests = 0;

// Adds a request to the story. Returns a function that tells what happens to it.
export function beginStory(title) {
  requests += 1;
  const told = element('ol', { class: 'log' });
  const part = element('section', {}, element('h4', {}, `Request ${requests}: ${title}`), told);
  if (requests === 1) $('story').replaceChildren();
  $('story').prepend(part);
  while ($('story').children.length > kMostRequests) $('story').lastChild.remove();
  return (what, ...sentences) => told.prepend(element('li', {}, element('time', {}, clock()), element('strong', {}, `${what} `), ...sentences));
}

export const kSent = {
  none: 'Nothing will go wrong.',
  before: 'Its process will fail just before the charge.',
  down: 'Its provider will not be reached.',
  'answer-lost': 'The provider will charge, and its answer will be lost.',
  stall: 'Its process will stall once the provider has charged.',
};

const kBroken = {
  before: 'The process failed just before the charge. The ride is on record, with the key that its charge is going to carry, and nothing was charged: whoever comes next goes on from there.',
  down: 'The provider was not reached. For the service that is the same as a lost answer, so it promises nothing and keeps the ride and its charge key: the next attempt sends that same key.',
  'answer-lost': 'The provider has charged the card, and nobody here knows. The charge carried a key that was stored before the call: the next attempt sends it again, and the provider answers with the charge that it made.',
};

// Explains what an answer means. `first`: it is the answer to the request that was made to fail.
export function explain(answer, first, fault) {
  const { status, body, replayed } = answer;
  if (verdict(answer) === 'success') {
    if (first && fault === 'stall') {
      return replayed
        ? 'The stalled process woke up, asked to write in the name of its old lease, and wrote nothing: another one had finished. It handed on the stored answer.'
        : 'The stalled process woke up in time. Its lease was still good, so it recorded the charge and finished.';
    }
    return replayed
      ? 'The stored answer, byte for byte. Nothing was done again, whoever asks and however often.'
      : 'Booked. Charge, receipt and answer became permanent in one transaction, so there is no moment at which only some of them are true.';
  }
  if (body?.code === 'request_in_progress') {
    return 'Somebody holds the lease of this key, and two at work on one request is what must not be. Wait, or let the lease run out.';
  }
  if (body?.code === 'card_declined') return 'The card was declined. That is an answer too, stored under the key: a repetition gets the same, and asks no bank.';
  if (first && status >= 500 && kBroken[fault]) return kBroken[fault];
  return `${describe(answer)} The key keeps what was done; a retry with it is safe.`;
}
