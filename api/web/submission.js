import { ask, describe, uuid, verdict } from './api.js';

// A form whose request takes effect once: however often it is sent, from however many tabs, and whatever
// happens to the network, the page or the browser on the way.
//
// Its state is in localStorage, so it survives all of them, and belongs to all tabs together:
//   draft   being filled in; the key is made already. `failure` tells why the last one was refused.
//   sent    somebody may have got it. Only an answer ends this, and it is sent again until there is one.
//   done    there is one.
//   parked  the service wants a person to look at it. Not to be sent with another key.
//   stale   sent so long ago that the service may have forgotten its key: sending it again could do it twice.
// One tab sends at a time; the others wait for its lock, and one of them goes on if it dies.

const kLongestAge = 24 * 3600_000;  // the service remembers a key for 72 hours
const kFirstPause = 700;
const kLongestPause = 30_000;

// Where locks are not to be had (nor storage, perhaps), the key alone has to do.
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
  // What could not be stored is in memory alone, and newer than what is stored.
  #unsaved = false;
  #shown = null;
  #busy = false;
  #wake = () => {};

  // onChange(state, busy): show this. onPause({ reason, until }): an attempt failed, the next one is at this time; or
  // onPause({ offline: true }): the next one is when the network is back. Options: blank: the fields of an empty form.
  // keepsKey: only renew() changes the key, and what was done may be sent again. firstOnly: a field for the first
  // attempt alone. method: no POST, and without a body. The path may be a function of the fields.
  constructor(name, path, { onChange, onPause, ...options }) {
    this.#place = `rocket-rides.${name}`;
    this.#path = path;
    this.#onChange = onChange;
    this.#onPause = onPause;
    this.#options = options;
    window.addEventListener('storage', (event) => {
      if (event.key === this.#place || event.key === null) this.#adopt();
    });
    window.addEventListener('pageshow', (event) => event.persisted && this.#adopt());
    // A pause ends with either: whoever is offline is told so, and waits for the network instead.
    for (const change of ['online', 'offline']) window.addEventListener(change, () => this.sendNow());
  }

  // Shows where things stand, and goes on with what was under way.
  start() {
    this.#adopt();
  }

  // Remembers what is typed.
  edit(fields) {
    const stored = this.#load();
    if (this.#maySend(stored) && stored.key === this.#shown.key) this.#shown = this.#save({ ...stored, fields });
  }

  async submit(user, fields) {
    const { key } = this.#shown;
    await this.#exclusively((stored) => {
      // Another tab was quicker: what it did is shown instead.
      if (stored.key !== key || !this.#maySend(stored)) return null;
      return { phase: 'sent', key, user, fields, since: Date.now(), attempts: 0 };
    });
  }

  // Another request, for which the person asked: a new key.
  renew(fields = this.#options.blank) {
    if (this.#busy || this.#load().phase === 'sent') return;
    this.#save(this.#draft(fields));
    this.#adopt();
  }

  // The service was told to look again at a parked request: its key may be sent once more.
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
    this.#onChange(this.#shown, this.#busy || this.#shown.phase === 'sent');
    if (this.#shown.phase === 'sent') this.#exclusively(() => null);
  }

  // Waits for its turn among the tabs, lets `prepare` say what is to be sent, and sends what is unanswered.
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
      if (Date.now() - state.since > kLongestAge) return this.#save({ ...state, phase: 'stale' });
      state = this.#save({ ...state, attempts: state.attempts + 1 });
      this.#onChange(state, true);
      const answer = await this.#ask(state);
      const { key, user, fields } = state;
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
    return ask(method, path, { ...state, fields: method === 'POST' ? this.#fieldsOf(state) : undefined });
  }

  #fieldsOf({ fields, attempts }) {
    const { firstOnly } = this.#options;
    return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== firstOnly || attempts === 1));
  }

  // Or until the person wants to try.
  #untilOnline(attempts) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#onPause({ offline: true, attempts });
    });
  }

  // Longer each time, and never the same for two clients that began together.
  #pause(attempts, answer) {
    const longest = Math.min(kFirstPause * 2 ** (attempts - 1), kLongestPause);
    const pause = Math.max(longest * (0.5 + Math.random() / 2), (answer.retryAfter ?? 0) * 1000);
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, pause);
      this.#onPause({ reason: describe(answer), until: Date.now() + pause, attempts });
    });
  }

  // What was stored may be from another version of this page, or from anybody: it is believed only in this shape.
  #load() {
    let stored = this.#memory;
    try {
      if (!this.#unsaved) stored = JSON.parse(localStorage.getItem(this.#place)) ?? stored;
    } catch {
      // No storage, or nothing sensible in it.
    }
    return isState(stored) ? stored : this.#save(this.#draft(this.#options.blank));
  }

  #save(state) {
    this.#memory = state;
    try {
      localStorage.setItem(this.#place, JSON.stringify(state));
      this.#unsaved = false;
    } catch {
      // Full, or not allowed: this tab remembers.
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
