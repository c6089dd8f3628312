import { verdict } from './api.js';

const kFirstPause = 1000;
const kLongestPause = 30_000;

// Something of the service's that is shown and may change: `ask()` gets it, `show(answer)` shows it or that it is not
// known. What could not be had is asked for again, until it is there, and at once when the network is back. Returns a
// function that asks now; it resolves once that was shown, or was overtaken by another call.
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
