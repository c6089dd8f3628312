// The API token with which somebody signed in. It is kept for this tab only, until the tab is closed. It is shown
// nowhere, and is no part of any address.
const place = 'rocket-rides.token';
const kForm = /^rr_([0-9A-Za-z]{12})_[0-9A-Za-z]{49}$/;

// Returns the part of a token that is no secret. Returns null if the text cannot be a token.
export const idOf = (text) => kForm.exec(text)?.[1] ?? null;

// Returns null if nobody is signed in.
export function keptToken() {
  try {
    return sessionStorage.getItem(place);
  } catch {
    return null;
  }
}

// Returns false if this browser keeps nothing.
export function keepToken(text) {
  try {
    sessionStorage.setItem(place, text);
    return true;
  } catch {
    return false;
  }
}

export function forgetToken() {
  try {
    sessionStorage.removeItem(place);
  } catch {
    // Then none was kept.
  }
}
