import { verdict } from './api.js';

const kFirstPause = 1000;
const kLongestPause = 30_000;

// Shows something that the service knows and that may change. `ask()` gets it. `show(answer)` shows it, or that it is
// not known. If it is not known, it is asked for again until it is, and at once when the network is back. Returns a
// function that asks now. Its promise resolves once the answer was shown, or once another call has overtaken this one.
export function reading(ask, show) {
  let turn = 0;
  let timer = 0;
  let pause = kFirstPause;
  let known = true;

  async function refresh() {
    clearTimeout(timer);
    const mine = ++turn;
    const answer = await ask();
    if (mine !== turn) return;
    known = verdict(answer) !== 'unknown';
    show(answer);
    if (known) {
      pause = kFirstPause;
    } else {
      timer = setTimeout(refresh, Math.max(pause * (0.5 + Math.random() / 2), (answer.retryAfter ?? 0) * 1000));
      pause = Math.min(pause * 2, kLongestPause);
    }
  }

  window.addEventListener('online', () => known || refresh());
  return refresh;
}
