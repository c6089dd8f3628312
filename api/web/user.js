// Who asks. With AUTH=email a person chooses one of two users, by e-mail address. With AUTH=token a person signs in
// with an API token (sign_in.js), and the user's name is the token's id. The service puts one of the two controls into
// the page. Who signs in or out gets a new page, so a page belongs to one token, from its beginning to its end.
import { forgetToken, idOf, keptToken } from './token.js';

const chosenPlace = 'rocket-rides.user';
const chooser = document.querySelector('#user');
export const byToken = chooser === null;

// Null if nobody has signed in, or if people choose.
const owner = byToken ? idOf(keptToken()) : null;
let refused = false;
const refusalListeners = [];

// Null while nobody is signed in.
export const currentUser = () => (byToken ? (refused ? null : owner) : chooser.value);

// The Authorization header with which this page may ask for a user. Null if it may not.
export function authorizationOf(user) {
  if (!byToken) return user || null;
  const token = keptToken();
  return user !== null && user === currentUser() && user === idOf(token) ? `Bearer ${token}` : null;
}

// Where to store something under a name. Each token has places of its own, so that nobody sees or continues what was
// begun with another one. Null if nothing may be stored, because nobody is signed in.
export function placeOf(name) {
  if (!byToken) return `rocket-rides.${name}`;
  return owner && `rocket-rides.${name}.${owner}`;
}

// Whether what is stored in these places may name this user.
export const mayBeOf = (user) => !byToken || user === owner;

// The service has refused the credentials of a user. A token is forgotten then.
export function refuse(user, reason) {
  if (!byToken || refused || user !== owner) return;
  refused = true;
  if (idOf(keptToken()) === owner) forgetToken();
  for (const listener of refusalListeners) listener(reason);
}

// Calls back when the service has refused the token, with the reason.
export function onRefusal(callback) {
  refusalListeners.push(callback);
}

// No other user can be chosen while something is under way. Each `what` locks and unlocks on its own. Signing out is
// always possible, because what is under way goes on when the same token is back.
const locks = new Set();
export function lockUser(what, locked) {
  if (locked) locks.add(what);
  else locks.delete(what);
  if (chooser) chooser.disabled = locks.size > 0;
}

function recall() {
  let chosen = null;
  try {
    chosen = localStorage.getItem(chosenPlace);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  if ([...chooser.options].some((option) => option.value === chosen)) chooser.value = chosen;
}

// Calls back whenever another user is chosen, in any tab, or the token is refused.
export function onUserChange(callback) {
  if (byToken) return onRefusal(callback);
  chooser.addEventListener('change', () => {
    try {
      localStorage.setItem(chosenPlace, chooser.value);
    } catch {
      // As above.
    }
    callback();
  });
  window.addEventListener('storage', (event) => {
    if (event.key !== chosenPlace) return;
    recall();
    callback();
  });
}

if (byToken) {
  // The browser may bring back a page as it was, though somebody else has signed in on another page since.
  window.addEventListener('pageshow', (event) => event.persisted && idOf(keptToken()) !== owner && location.reload());
} else {
  recall();
}
