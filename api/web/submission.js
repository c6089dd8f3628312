import { ask, describe, uuid, verdict } from './api.js';
import { authorizationOf, mayBeOf, onRefusal, placeOf } from './user.js';

// A form whose request takes effect once, however often it is sent, from however many tabs, and whatever
// happens to the network, the page or the browser meanwhile.
//
// Its state is in localStorage, so it survives all of this, and all tabs share it:
//   draft   the form is being filled in; the key exists already. `failure` tells why the last request was refused.
//   sent    the service may have got the request. It is sent again until there is an answer, or it is stale.
//   done    the request has succeeded, and there is an answer.
//   parked  the service wants a person to look at the request. Do not send it with another key.
//   stale   sent so long ago that the service may have forgotten the key. Sending it again could do it twice.
// The state belongs to who sends it, and is continued for nobody else. It names its user and never holds a token. One
// more phase is shown and never stored:
//   unknown the request was sent and not answered, and the service has refused the user since. Nothing is sent.
// One tab sends at a time, and the others wait for its lock. If that tab dies, one of the others continues.

const kLongestAge = 24 * 3600_000;  // the service remembers a key for 72 hours
const kFirstPause = 700;
const kLongestPause = 30_000;

// Some browsers give us no lock, and perhaps no storage. Then only the key prevents a second effect.
async function withLock(name, work) {
  let begun = false;
  const once = () => {
    begun = true;
    return work();
  };
  try {
    return await navigator.locks.request(name, once);
  } catch (error) {
    if (begun) throw error;
    return work();
  }
}

export class Submission {
  #place;
  #path;
  #options;
  #onChange;
  #onPause;
  #memory = null;
  // True if the last state could not be stored. Then it is only in memory, and newer than what is stored.
  #unsaved = false;
  #shown = null;
  #busy = false;
  #wake = () => {};

  // onChange(state, busy): show this state. onPause({ reason, until }): an attempt failed, the next one is at `until`.
  // onPause({ offline: true }): the next attempt is when the network is back. The path may be a function of the fields.
  // Options: blank: the fields of an empty form. keepsKey: only renew() changes the key, and a done request may be
  // sent again. firstOnly: a field that only the first attempt sends. method: used instead of POST, without a body.
  constructor(name, path, { onChange, onPause, ...options }) {
    this.#place = placeOf(name);
    this.#path = path;
    this.#onChange = onChange;
    this.#onPause = onPause;
    this.#options = options;
    window.addEventListener('storage', (event) => {
      if (this.#place && (event.key === this.#place || event.key === null)) this.#adopt();
    });
    window.addEventListener('pageshow', (event) => event.persisted && this.#adopt());
    // Both events end a pause. A person who is offline is told so, and the form waits for the network instead.
    for (const change of ['online', 'offline']) window.addEventListener(change, () => this.sendNow());
    onRefusal(() => {
      this.sendNow();
      if (!this.#busy) this.#adopt();
    });
  }

  // Shows the stored state, and continues what was under way.
  start() {
    this.#adopt();
  }

  // Remembers what is typed.
  edit(fields) {
    const stored = this.#load();
    if (this.#maySend(stored) && stored.key === this.#shown.key) this.#shown = this.#save({ ...stored, fields });
  }

  async submit(user, fields) {
    if (!authorizationOf(user)) return;
    const { key } = this.#shown;
    await this.#exclusively((stored) => {
      // Another tab was quicker: what it did is shown instead.
      if (stored.key !== key || !this.#maySend(stored)) return null;
      return { phase: 'sent', key, user, fields, since: Date.now(), attempts: 0 };
    });
  }

  // Begins another request with a new key, because the person asked for it.
  renew(fields = this.#options.blank) {
    if (this.#busy || this.#load().phase === 'sent') return;
    this.#save(this.#draft(fields));
    this.#adopt();
  }

  // Sends a parked request once more with its key, after the service was told to look at it again.
  askAgain() {
    const { key } = this.#shown;
    this.#exclusively((stored) =>
      stored.key === key && stored.phase === 'parked' ? { ...stored, phase: 'sent', since: Date.now() } : null);
  }

  // Ends the pause before the next attempt.
  sendNow() {
    this.#wake();
  }

  #maySend(stored) {
    return stored.phase === 'draft' || (this.#options.keepsKey && stored.phase === 'done');
  }

  #draft(fields, more = {}) {
    return { phase: 'draft', key: uuid(), fields, ...more };
  }

  #adopt() {
    this.#shown = this.#load();
    if (this.#shown.phase === 'sent' && !authorizationOf(this.#shown.user)) this.#shown = { ...this.#shown, phase: 'unknown' };
    this.#onChange(this.#shown, this.#busy || this.#shown.phase === 'sent');
    if (this.#shown.phase === 'sent') this.#exclusively(() => null);
  }

  // Waits for the turn of this tab, lets `prepare` say what is to be sent, and sends a request that is unanswered.
  async #exclusively(prepare) {
    if (this.#busy) return;
    this.#busy = true;
    this.#onChange(this.#shown, true);
    await withLock(this.#place, async () => {
      const prepared = prepare(this.#load());
      if (prepared) this.#save(prepared);
      const state = prepared ?? this.#load();
      if (state.phase === 'sent') await this.#insist(state);
    });
    this.#busy = false;
    this.#adopt();
  }

  async #insist(state) {
    for (;;) {
      if (!navigator.onLine) await this.#untilOnline(state.attempts);
      if (!authorizationOf(state.user)) return null;
      if (Date.now() - state.since > kLongestAge) return this.#save({ ...state, phase: 'stale' });
      state = this.#save({ ...state, attempts: state.attempts + 1 });
      this.#onChange(state, true);
      const answer = await this.#ask(state);
      const { key, user, fields } = state;
      // That the user is refused now says nothing about the earlier attempts.
      if (answer.status === 401 && state.attempts > 1 && !authorizationOf(user)) return null;
      const end = { key, user, fields, answer: { ...answer, at: Date.now() } };
      switch (verdict(answer)) {
        case 'success':
          return this.#save({ phase: 'done', ...end });
        case 'parked':
          return this.#save({ phase: 'parked', ...end, attempts: state.attempts });
        case 'failure': {
          const failed = this.#draft(fields, { failure: end.answer });
          return this.#save(this.#options.keepsKey ? { ...failed, key } : failed);
        }
        default:
          if (navigator.onLine) await this.#pause(state.attempts, answer);
      }
    }
  }

  #ask(state) {
    const { method = 'POST' } = this.#options;
    const path = typeof this.#path === 'function' ? this.#path(state.fields) : this.#path;
    const { user, key } = state;
    return ask(method, path, { user, key, fields: method === 'POST' ? this.#fieldsOf(state) : undefined });
  }

  #fieldsOf({ fields, attempts }) {
    const { firstOnly } = this.#options;
    return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== firstOnly || attempts === 1));
  }

  // Waits for the network, or until the person wants to try.
  #untilOnline(attempts) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#onPause({ offline: true, attempts });
    });
  }

  // Each pause is longer, and partly random, so that clients that began together do not retry together.
  #pause(attempts, answer) {
    const longest = Math.min(kFirstPause * 2 ** (attempts - 1), kLongestPause);
    const pause = Math.max(longest * (0.5 + Math.random() / 2), (answer.retryAfter ?? 0) * 1000);
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, pause);
      this.#onPause({ reason: describe(answer), until: Date.now() + pause, attempts });
    });
  }

  // The stored state may be from another version of this page, or from anybody. It is used only if its shape is right.
  #load() {
    let stored = this.#memory;
    try {
      if (this.#place && !this.#unsaved) stored = JSON.parse(localStorage.getItem(this.#place)) ?? stored;
    } catch {
      // There is no storage, or no JSON in it.
    }
    return isState(stored) && (stored.user === undefined || mayBeOf(stored.user)) ? stored : this.#save(this.#draft(this.#options.blank));
  }

  #save(state) {
    this.#memory = state;
    if (!this.#place) return state;
    try {
      localStorage.setItem(this.#place, JSON.stringify(state));
      this.#unsaved = false;
    } catch {
      // The storage is full or not allowed. Only this tab remembers the state.
      this.#unsaved = true;
    }
    return state;
  }
}

function isState(state) {
  const isFields = (fields) =>
    fields !== null && typeof fields === 'object' && Object.values(fields).every((value) => typeof value === 'string');
  const isAnswer = (answer) => answer !== null && typeof answer === 'object';
  if (state === null || typeof state !== 'object') return false;
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(state.key) || !isFields(state.fields)) return false;
  if (state.phase === 'draft') return true;
  if (typeof state.user !== 'string') return false;
  if (state.phase === 'sent' || state.phase === 'stale') {
    return Number.isFinite(state.since) && Number.isInteger(state.attempts);
  }
  return ['done', 'parked'].includes(state.phase) && isAnswer(state.answer);
}
