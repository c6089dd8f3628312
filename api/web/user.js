// Who is asking. The service knows people by their e-mail address alone.
const place = 'rocket-rides.user';
const chooser = document.querySelector('#user');

function recall() {
  let chosen = null;
  try {
    chosen = localStorage.getItem(place);
  } catch {
    // Then the choice lasts as long as the page.
  }
  if ([...chooser.options].some((option) => option.value === chosen)) chooser.value = chosen;
}

export const currentUser = () => chooser.value;

// Nobody else can be chosen while something is under way. Each `what` has its own say.
const locks = new Set();
export function lockUser(what, locked) {
  if (locked) locks.add(what);
  else locks.delete(what);
  chooser.disabled = locks.size > 0;
}

// Calls back whenever somebody else is chosen, in whichever tab.
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
