/* The first file: the one global of the page, what tells of files that are missing, and what this
   browser remembers. */
"use strict";

// Each file adds one part, frozen: so the type check knows all of its names.
const annotator = {};

// Files that were left behind when the page was copied must not leave it silent.
window.addEventListener("load", () => {
  const opening = document.querySelector(".opening");
  if (annotator.opened || !opening) return;
  opening.textContent =
    "This page is not whole: some of its files, in app/ or vendor/, could not be read.";
});

annotator.storage = (() => {
  // A page opened from disk may be refused its storage; a choice then lasts as long as the page.
  const chosen = new Map();
  const path = (name) => `annotator-${name}`;

  function read(name) {
    if (chosen.has(name)) return chosen.get(name);
    try {
      return window.localStorage.getItem(path(name));
    } catch {
      return null;
    }
  }

  function write(name, value) {
    chosen.set(name, value);
    try {
      window.localStorage.setItem(path(name), value);
    } catch {
      /* see above */
    }
  }

  return Object.freeze({ read, write });
})();
