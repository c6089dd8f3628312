// The user who asks. The service knows people only by their e-mail address.
const place = 'rocket-rides.user';
const chooser = document.querySelector('#user');

function recall() {
  let chosen = null;
  try {
    chosen = localStorage.getItem(place);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  if ([...chooser.options].some((option) => option.value === chosen)) chooser.value = chosen;
}

export const currentUser = () => chooser.value;

// No other user can be chosen while something is under way. Each `what` locks and unlocks on its own.
const locks = new Set();
export function lockUser(what, locked) {
  if (locked) locks.add(what);
  else locks.delete(what);
  chooser.disabled = locks.size > 0;
}

// Calls back whenever another user is chosen, in any tab.
export function onUserChange(callback) {
  chooser.addEventListener('change', () => {
    try {
      localStorage.setItem(place, chooser.value);
    } catch {
      // As above.
    }
    callback();
  });
  window.addEventListener('storage', (event) => {
    if (event.key !== place) return;
    recall();
    callback();
  });
}

recall();
